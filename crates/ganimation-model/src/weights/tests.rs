use burn::tensor::Tolerance;

use super::*;
use crate::{DiscriminatorConfig, GeneratorConfig};

fn metadata() -> Metadata {
    Metadata {
        image_size: 64,
        channels: 2,
        blocks: 1,
        action_units: ACTION_UNITS.to_vec(),
        orders: Orders::Absolute,
        fine_shading: false,
        crop: "detector box at scale 1".to_owned(),
        training: "none".to_owned(),
        license: "research use only".to_owned(),
    }
}

fn generator() -> Generator {
    GeneratorConfig::new()
        .with_channels(2)
        .with_blocks(1)
        .init(&Device::flex())
}

#[test]
fn a_generator_survives_the_file_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("generator.safetensors");
    let saved = generator();
    save_generator(&path, &saved, &metadata(), FloatFormat::F32).unwrap();
    let (loaded, read) = load_generator(&path, &Device::flex()).unwrap();
    assert_eq!(read, metadata());
    for ((name, before), (_, after)) in state_dict(&saved).iter().zip(state_dict(&loaded)) {
        assert_eq!(before, &after, "{name}");
    }
}

#[test]
fn half_precision_files_keep_their_digits() {
    for (format, tolerance) in [(FloatFormat::F16, 1e-3), (FloatFormat::Bf16, 1e-2)] {
        let saved = generator();
        let bytes = encode(&saved, "generator", &metadata(), format).unwrap();
        let (loaded, _) = generator_from_bytes(&bytes, &Device::flex()).unwrap();
        for ((_, before), (_, after)) in state_dict(&saved).iter().zip(state_dict(&loaded)) {
            before.assert_approx_eq::<f32>(&after, Tolerance::rel_abs(tolerance, 1e-6));
        }
    }
}

#[test]
fn a_discriminator_survives_the_file() {
    let saved = DiscriminatorConfig::new(64)
        .with_channels(2)
        .init(&Device::flex());
    let bytes = encode(&saved, "discriminator", &metadata(), FloatFormat::F32).unwrap();
    let (loaded, _) = discriminator_from_bytes(&bytes, &Device::flex()).unwrap();
    assert_eq!(state_dict(&saved), state_dict(&loaded));
}

#[test]
fn an_au_regressor_survives_the_file_and_a_discriminator_is_loaded_too() {
    let device = Device::flex();
    let saved = AuRegressorConfig::new().with_channels(2).init(&device);
    let estimator_metadata = Metadata {
        image_size: 128,
        ..metadata()
    };
    let bytes = encode(&saved, AU_REGRESSOR, &estimator_metadata, FloatFormat::F32).unwrap();
    let (loaded, _) = au_estimator_from_bytes(&bytes, &device).unwrap();
    let AuEstimator::Regressor(loaded) = loaded else {
        panic!("a regressor was loaded as {loaded:?}")
    };
    assert_eq!(state_dict(&saved), state_dict(&loaded));

    let discriminator = DiscriminatorConfig::new(64).with_channels(2).init(&device);
    let bytes = encode(&discriminator, "discriminator", &metadata(), FloatFormat::F32).unwrap();
    let (loaded, _) = au_estimator_from_bytes(&bytes, &device).unwrap();
    assert!(matches!(
        loaded,
        AuEstimator::Discriminator { image_size: 64, .. }
    ));
    let of_a_run = tensors_to_bytes(state_dict(&discriminator), FloatFormat::F32, None).unwrap();
    let (loaded, read) = au_estimator_from_bytes(&of_a_run, &device).unwrap();
    assert!(matches!(
        loaded,
        AuEstimator::Discriminator { image_size: 64, .. }
    ));
    assert_eq!(read.action_units, ACTION_UNITS);

    let neither = encode(&generator(), "generator", &metadata(), FloatFormat::F32).unwrap();
    let error = au_estimator_from_bytes(&neither, &device).unwrap_err();
    assert_eq!(
        error.to_string(),
        "weights metadata `network` is generator; expected reader"
    );
}

#[test]
fn files_that_are_not_generators_are_refused_with_the_reason() {
    let discriminator = DiscriminatorConfig::new(64)
        .with_channels(2)
        .init(&Device::flex());
    let other = encode(&discriminator, "discriminator", &metadata(), FloatFormat::F32).unwrap();
    let lying = Metadata {
        channels: 4096,
        ..metadata()
    };
    let lying = encode(&generator(), "generator", &lying, FloatFormat::F32).unwrap();
    let endless = Metadata {
        blocks: usize::MAX,
        ..metadata()
    };
    let endless = encode(&generator(), "generator", &endless, FloatFormat::F32).unwrap();
    let empty = Metadata {
        channels: 0,
        ..metadata()
    };
    let empty = encode(&generator(), "generator", &empty, FloatFormat::F32).unwrap();
    let whole = encode(&generator(), "generator", &metadata(), FloatFormat::F32).unwrap();
    let cases: [(&[u8], &str); 6] = [
        (&endless, "`blocks` is 18446744073709551615"),
        (&empty, "`channels` is 0; expected 2, as in the tensors"),
        (b"GIF89a, say", "not a safetensors file"),
        (&whole[..whole.len() - 8], "not a safetensors file"),
        (&other, "`network` is discriminator; expected generator"),
        (&lying, "`channels` is 4096; expected 2, as in the tensors"),
    ];
    for (bytes, expected) in cases {
        let error = generator_from_bytes(bytes, &Device::flex()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.safetensors");
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = load_generator(&path, &Device::flex()).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        (error.to_string(), source)
    };
    let message = format!("cannot use the weights in {}", path.display());
    assert_eq!(
        refusal(b"notes"),
        (message.clone(), "not a safetensors file".to_owned())
    );
    let mut tensors = state_dict(&generator());
    tensors[0].1 = TensorData::new(vec![f32::NAN; 40 * 49], tensors[0].1.shape().to_vec());
    let name = tensors[0].0.clone();
    let bytes = tensors_to_bytes(tensors, FloatFormat::F32, None).unwrap();
    let reason = format!("tensor {name} contains an infinity or a NaN");
    assert_eq!(refusal(&bytes), (message, reason));
}

#[test]
fn a_file_without_metadata_is_known_by_its_shapes() {
    let saved = generator();
    let bytes = tensors_to_bytes(state_dict(&saved), FloatFormat::F32, None).unwrap();
    let (loaded, derived) = generator_from_bytes(&bytes, &Device::flex()).unwrap();
    assert_eq!(state_dict(&saved), state_dict(&loaded));
    assert_eq!(
        (derived.image_size, derived.channels, derived.blocks),
        (128, 2, 1)
    );
    assert_eq!(derived.action_units, ACTION_UNITS);

    let saved = DiscriminatorConfig::new(192)
        .with_channels(1)
        .init(&Device::flex());
    let bytes = tensors_to_bytes(state_dict(&saved), FloatFormat::F32, None).unwrap();
    let (_, derived) = discriminator_from_bytes(&bytes, &Device::flex()).unwrap();
    assert_eq!((derived.image_size, derived.channels), (192, 1));

    let other = GeneratorConfig::new().with_channels(1).with_blocks(1).with_aus(5);
    let bytes = tensors_to_bytes(state_dict(&other.init(&Device::flex())), FloatFormat::F32, None).unwrap();
    let error = generator_from_bytes(&bytes, &Device::flex()).unwrap_err();
    assert!(error.to_string().contains("because they are not 17"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = load_generator(Path::new("no/such.safetensors"), &Device::flex()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read weights no/such.safetensors"),
        "{error}"
    );
}

#[test]
fn a_motion_network_and_what_its_orders_mean_survive_the_file() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("motion.safetensors");
    let saved = GeneratorConfig::motion(2).with_blocks(1).init(&device);
    let relative = Metadata {
        orders: Orders::Relative,
        fine_shading: true,
        ..metadata()
    };
    save_generator(&path, &saved, &relative, FloatFormat::F32).unwrap();
    let (loaded, found) = load_generator(&path, &device).unwrap();
    assert_eq!(found, relative);
    assert_eq!(loaded.orders(), Orders::Relative);
    assert!(loaded.fine_shading());
    assert_eq!(state_dict(&loaded), state_dict(&saved));
}

#[test]
fn only_files_of_relative_networks_have_the_newer_version() {
    let entries = |orders| to_entries("generator", &Metadata { orders, ..metadata() });
    assert_eq!(entries(Orders::Absolute)["format_version"], "1");
    assert!(!entries(Orders::Absolute).contains_key("orders"));
    assert_eq!(entries(Orders::Relative)["format_version"], "2");
    let with = |key: &str, value: &str| {
        let mut changed = entries(Orders::Relative);
        changed.insert(key.to_owned(), value.to_owned());
        from_entries("generator", &changed).unwrap_err().to_string()
    };
    assert!(with("format_version", "3").contains("expected 1 or 2"));
    assert!(with("orders", "sideways").contains("`orders` is sideways"));
    assert!(with("shading", "rough").contains("`shading` is rough"));
}
