//! What is wrong with the data of a call that only the device sees, and which outputs are NaN for it.

use safetensors::Dtype;

use super::Call;
use crate::compare::Expected;
use crate::tensor::Tensor;

/// What is wrong with the data of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongData {
    /// The rows that have a target out of range.
    rows: Vec<usize>,
    /// Whether the segments are out of order.
    segments: bool,
    /// Whether the offsets of the clusters are out of order.
    offsets: bool,
}

impl WrongData {
    /// The call with right data in the place of what is wrong: a class for a target that is out of range, no rows for
    /// segments that are out of order, all classes in the last cluster for offsets that are. None where all are right.
    pub fn corrected(call: &Call) -> Option<(Call, Self)> {
        let mut right = call.clone();
        let wrong = Self {
            rows: correct_targets(&mut right),
            segments: correct_segments(&mut right),
            offsets: correct_offsets(&mut right),
        };
        (wrong.segments || wrong.offsets || !wrong.rows.is_empty()).then_some((right, wrong))
    }

    /// Makes the outputs of the corrected call those of `call`: NaN where they depend on what is wrong.
    pub fn undefine(&self, call: &Call, outputs: &mut [(&'static str, Expected)]) {
        for (name, output) in outputs {
            let card = call.card.outputs().find(|card| card.name == *name);
            match card.and_then(|card| call.leading_letter(card)) {
                _ if self.offsets => output.undefine(1, 0),
                Some("B") => self.rows.iter().for_each(|row| output.undefine(call.size("rows"), *row)),
                Some("S") => {
                    let bounds = call.tensors["segments"].to_i64();
                    let contains =
                        |bounds: &[i64]| self.rows.iter().any(|row| (bounds[0]..bounds[1]).contains(&(*row as i64)));
                    for (s, bounds) in bounds.windows(2).enumerate() {
                        if self.segments || contains(bounds) {
                            output.undefine(call.size("segments"), s);
                        }
                    }
                }
                _ if self.rows.is_empty() => {}
                _ => output.undefine(1, 0),
            }
        }
    }
}

/// Puts class 0 in the place of each target that is out of range, and gives the rows of these.
fn correct_targets(call: &mut Call) -> Vec<usize> {
    let Some(targets) = call.tensors.get("targets") else { return Vec::new() };
    let ignored = call.parameters.get("ignore_index").map(|value| value.to_string());
    let (classes, per_row) = (call.size("classes"), targets.shape().get(1).copied().unwrap_or(1));
    let (mut entries, mut rows) = (targets.to_i64(), Vec::new());
    for (flat, entry) in entries.iter_mut().enumerate() {
        let in_range = usize::try_from(*entry).is_ok_and(|class| class < classes);
        if !in_range && ignored != Some(entry.to_string()) {
            *entry = 0;
            rows.push(flat / per_row);
        }
    }
    rows.dedup();
    let shape = targets.shape().to_vec();
    let replaced = if targets.dtype() == Dtype::U32 {
        Tensor::from_u32(shape, &entries.iter().map(|&entry| entry as u32).collect::<Vec<_>>())
    } else {
        Tensor::from_i64(shape, &entries)
    };
    call.tensors.insert("targets".to_owned(), replaced);
    rows
}

/// Whether the segments are out of order; then there are none of them left that has a row.
fn correct_segments(call: &mut Call) -> bool {
    let rows = call.size("rows");
    let Some(segments) = call.tensors.get_mut("segments") else { return false };
    let bounds = segments.to_i64();
    let wrong = !bounds.is_sorted() || bounds.iter().any(|bound| usize::try_from(*bound).is_ok_and(|row| row > rows));
    if wrong {
        *segments = Tensor::from_u32([bounds.len()], &vec![0; bounds.len()]);
    }
    wrong
}

/// Whether the offsets of the clusters do not ascend from 0 to all classes; then the last cluster has all of them.
fn correct_offsets(call: &mut Call) -> bool {
    let classes = call.size("classes") as i64;
    let Some(offsets) = call.tensors.get_mut("cluster_offsets") else { return false };
    let mut bounds = offsets.to_i64();
    let wrong = !bounds.is_sorted() || bounds.first() != Some(&0) || bounds.last() != Some(&classes);
    if let (true, Some((last, others))) = (wrong, bounds.split_last_mut()) {
        others.fill(0);
        *last = classes;
        *offsets = Tensor::from_i64([bounds.len()], &bounds);
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensors;
    use crate::dispatch::operation;

    /// 4 rows of a head of as many classes and a width of 2, with two segments.
    fn call(targets: &[i64], segments: &[u32], set: &[(&str, &str)]) -> Call {
        let values: Vec<f64> = (0..8).map(|i| f64::from(i) / 4.0 - 1.0).collect();
        let tensors = Tensors::from([
            ("hidden".to_owned(), Tensor::from_f64(Dtype::F32, [4, 2], &values)),
            ("weight".to_owned(), Tensor::from_f64(Dtype::F32, [4, 2], &values)),
            ("targets".to_owned(), Tensor::from_i64([4], targets)),
            ("segments".to_owned(), Tensor::from_u32([segments.len()], segments)),
        ]);
        let (card, _) = operation("spherical.linear_cross_entropy").unwrap();
        Call::new(card, set.iter().copied(), tensors).unwrap()
    }

    /// For each output whether its entries are NaN.
    fn nan(call: &Call) -> Vec<(&'static str, Vec<bool>)> {
        let (right, wrong) = WrongData::corrected(call).expect("something is wrong");
        let (_, operation) = operation(call.card.name).unwrap();
        let mut outputs = operation.reference(&right).unwrap();
        wrong.undefine(call, &mut outputs);
        outputs.iter().map(|(name, output)| (*name, output.values.iter().map(|v| v.is_nan()).collect())).collect()
    }

    #[test]
    fn nothing_is_undefined_where_all_is_right() {
        assert!(WrongData::corrected(&call(&[0, 1, -100, 3], &[0, 2, 4], &[])).is_none());
        assert!(WrongData::corrected(&call(&[0, 1, 7, 3], &[0, 2, 4], &[("ignore_index", "7")])).is_none());
    }

    /// A target undefines its row, the segment that the row is in, and what is a sum over rows; as many classes as rows
    /// make no class a row.
    #[test]
    fn a_target_undefines_what_its_row_is_in() {
        let [no, yes] = [false, true];
        let of_row = vec![no, no, yes, no];
        let expected = [
            ("loss", of_row.clone()),
            ("lse", of_row.clone()),
            ("target_logits", of_row),
            ("segment_loss", vec![no, yes]),
            ("grad_hidden", vec![no, no, no, no, yes, yes, no, no]),
            ("grad_weight", vec![yes; 8]),
        ];
        assert_eq!(nan(&call(&[0, 1, 4, 3], &[0, 2, 4], &[])), expected);
        let mean = nan(&call(&[0, 1, 4, 3], &[0, 2, 4], &[("reduction", "mean"), ("need_grad", "false")]));
        assert_eq!(mean[0], ("loss", vec![yes]));
    }

    #[test]
    fn segments_out_of_order_undefine_their_losses_and_nothing_else() {
        for segments in [[0, 3, 2], [0, 2, 5], [5, 5, 5]] {
            for (name, nan) in nan(&call(&[0, 1, 2, 3], &segments, &[])) {
                assert!(nan.iter().all(|nan| *nan == (name == "segment_loss")), "{name} {segments:?}");
            }
        }
    }

    #[test]
    fn offsets_out_of_order_undefine_everything() {
        let tensor = |rows: usize| Tensor::from_f64(Dtype::F32, [rows, 1], &vec![1.0; rows]);
        let call = |offsets: &[i64], targets: &[i64]| {
            let tensors = Tensors::from([
                ("hidden".to_owned(), tensor(2)),
                ("weight".to_owned(), tensor(3)),
                ("cluster_weight".to_owned(), tensor(offsets.len() - 1)),
                ("cluster_offsets".to_owned(), Tensor::from_i64([offsets.len()], offsets)),
                ("targets".to_owned(), Tensor::from_i64([2], targets)),
            ]);
            let (card, _) = operation("spherical.hierarchical_softmax").unwrap();
            Call::new(card, [("need_grad_weight", "true")], tensors).unwrap()
        };
        assert!(WrongData::corrected(&call(&[0, 0, 3], &[0, 2])).is_none());
        for offsets in [[0, 4, 3], [1, 1, 3], [0, 1, 2], [0, -1, 3]] {
            assert!(nan(&call(&offsets, &[-100, 2])).iter().all(|(_, nan)| nan.iter().all(|nan| *nan)), "{offsets:?}");
        }
        // A target that is no class has no cluster: its row is undefined, and what may be a sum over it.
        let expected = [
            ("loss", vec![false, true]),
            ("grad_hidden", vec![false, true]),
            ("grad_weight", vec![true; 3]),
            ("grad_cluster_weight", vec![true; 2]),
        ];
        assert_eq!(nan(&call(&[0, 0, 3], &[0, 3])), expected);
    }

    #[test]
    fn a_row_alone_has_its_own_tensors_and_no_segments() {
        let (row, alone) = call(&[0, 1, 2, 3], &[0, 2, 4], &[]).row_alone().expect("several rows");
        assert_eq!((row, alone.size("rows"), alone.size("classes")), (2, 1, 4));
        assert_eq!(alone.tensors["hidden"].to_f64(), [0.0, 0.25]);
        assert_eq!(alone.tensors["weight"].shape(), [4, 2]);
        let outputs: Vec<&str> = alone.outputs().iter().map(|output| output.name).collect();
        assert_eq!(outputs, ["loss", "lse", "target_logits", "grad_hidden", "grad_weight"]);
        let by_row: Vec<&str> = outputs.into_iter().filter(|output| alone.is_by_row(output)).collect();
        assert_eq!(by_row, ["loss", "lse", "target_logits", "grad_hidden"]);
        assert!(call(&[0, 1, 2, 3], &[0, 2, 4], &[("reduction", "mean")]).row_alone().is_none());
    }
}
