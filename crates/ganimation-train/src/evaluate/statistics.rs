//! Means and correlations.

/// Arithmetic mean. NaN for an empty list, which JSON writes as `null`.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values
        .into_iter()
        .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// Pearson's correlation; 0 if one side is constant or the lists are empty.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn pearson(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "values to correlate come in pairs");
    let (mean_a, mean_b) = (mean(a.iter().copied()), mean(b.iter().copied()));
    let [mut covariance, mut variance_a, mut variance_b] = [0.0; 3];
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        covariance += a * b;
        variance_a += a * a;
        variance_b += b * b;
    }
    let scale = (variance_a * variance_b).sqrt();
    if scale > 0.0 { covariance / scale } else { 0.0 }
}

/// Spearman's rank correlation; equal values share the mean of their ranks.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn spearman(a: &[f64], b: &[f64]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer values than 2^52")]
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = (2 * first + group.len() - 1) as f64 / 2.0;
        for &at in group {
            ranks[at] = shared;
        }
        first += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_is_that_of_scipy() {
        // scipy.stats.pearsonr and spearmanr of the same numbers
        let (a, b) = ([0.0, 1.0, 1.0, 2.0, 4.0], [1.0, 0.5, 3.0, 2.5, 9.0]);
        assert!((pearson(&a, &b) - 0.915_750_986_094_067_4).abs() < 1e-12);
        assert!((spearman(&a, &b) - 0.666_885_928_855_350_3).abs() < 1e-12);
    }

    #[test]
    fn what_only_rises_has_rank_correlation_one() {
        let requested = [0.0, 1.0, 2.0, 3.0];
        assert!((spearman(&requested, &requested.map(f64::exp)) - 1.0).abs() < 1e-12);
        assert!((spearman(&requested, &requested.map(|value| -value)) + 1.0).abs() < 1e-12);
        assert_eq!(spearman(&requested, &[0.5; 4]), 0.0);
    }

    #[test]
    fn of_nothing_there_is_no_mean() {
        assert!(mean([]).is_nan());
        assert_eq!(pearson(&[], &[]), 0.0);
    }
}
