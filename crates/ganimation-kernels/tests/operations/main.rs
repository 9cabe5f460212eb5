//! Every operation against Burn's own or its definition, on the CPU. With the feature `flex` these are the kernels.

mod adam;
mod conv;
mod norm;
mod numbers;
mod warp;
