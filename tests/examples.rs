//! The examples do what they say.

#[path = "../examples/language_model_head.rs"]
#[allow(dead_code, reason = "its main, which prints what this test reads")]
mod language_model_head;
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

/// From the example's fixed seed, in two of its eight epochs: of 534 words the next one is among the first 60 on the mean.
#[test]
fn a_language_model_learns_with_every_head() {
    let trained = language_model_head::train_all(2).unwrap();
    let names: Vec<&str> = trained.iter().map(|trained| trained.name).collect();
    assert_eq!(names, ["factored z", "linear_cross_entropy", "hierarchical_softmax"]);
    for language_model_head::Trained { name, epochs, cost } in trained {
        let [first, last] = epochs.as_slice() else { panic!("two epochs") };
        println!("{name}: {first:?}, {last:?}, {cost:?}");
        assert!(last.loss < first.loss && last.rank < 60.0 && last.hits > 0.5, "{name}: {last:?}");
        // A GPU counts nothing.
        assert!(cost.is_none_or(|cost| (5..=8).contains(&cost.launches) && cost.bytes > 0), "{name}: {cost:?}");
    }
}
