//! The examples do what they say.

#[path = "../examples/train_digits.rs"]
#[allow(dead_code, reason = "its main, which prints what this test reads")]
mod train_digits;

/// Accuracies from the example's fixed seed. A linear least-squares classifier with the best ridge reaches 90.1 % of these
/// digits, whose test part is by other writers than the training part; softmax reaches 92 %.
#[test]
fn a_classifier_learns_with_every_loss() {
    let trained = train_digits::train_all().unwrap();
    assert_eq!(trained.len(), 5);
    for train_digits::Trained { name, accuracy, .. } in trained {
        let required = if name == "softmax" { 0.92 } else { 0.90 };
        assert!(accuracy >= required, "{name}: {accuracy} of the test part, expected {required}");
    }
}
