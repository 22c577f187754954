//! What a warp knows of other blocks: for each, how many of its publications.

/// A map from blocks to counts, as runs of blocks that have the same: where blocks do the same thing in turn, which is
/// what look-back and grid barriers are, there are few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Far {
    /// (first block, block after the last, count), ascending and apart; no count is 0.
    runs: Vec<(u32, u32, u32)>,
}

impl Far {
    pub(crate) fn get(&self, block: u32) -> u32 {
        let after = self.runs.partition_point(|&(first, ..)| first <= block);
        match after.checked_sub(1).map(|i| self.runs[i]) {
            Some((_, end, count)) if block < end => count,
            _ => 0,
        }
    }

    /// Raises a block's count.
    pub(crate) fn raise(&mut self, block: u32, count: u32) {
        if self.get(block) < count {
            self.join(&Self { runs: vec![(block, block + 1, count)] });
        }
    }

    /// Of each block the higher of both counts.
    pub(crate) fn join(&mut self, other: &Self) {
        if other.runs.is_empty() || self.runs == other.runs {
            return;
        }
        if self.runs.is_empty() {
            self.runs.clone_from(&other.runs);
            return;
        }
        let (a, b) = (&self.runs, &other.runs);
        let mut joined: Vec<(u32, u32, u32)> = Vec::with_capacity(a.len() + b.len());
        let (mut i, mut j, mut at) = (0, 0, 0);
        while i < a.len() || j < b.len() {
            // The count of each side from `at` on, and where that changes.
            let side = |runs: &[(u32, u32, u32)], i: usize| match runs.get(i) {
                Some(&(first, _, _)) if at < first => (0, first),
                Some(&(_, end, count)) => (count, end),
                None => (0, u32::MAX),
            };
            let ((count_a, end_a), (count_b, end_b)) = (side(a, i), side(b, j));
            let (count, end) = (count_a.max(count_b), end_a.min(end_b));
            if count != 0 {
                match joined.last_mut() {
                    Some(last) if last.1 == at && last.2 == count => last.1 = end,
                    _ => joined.push((at, end, count)),
                }
            }
            at = end;
            i += usize::from(a.get(i).is_some_and(|&(_, end, _)| end <= at));
            j += usize::from(b.get(j).is_some_and(|&(_, end, _)| end <= at));
        }
        self.runs = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn neighbours_that_have_the_same_are_one_run() {
        let mut far = Far::default();
        for block in [3, 1, 2, 7] {
            far.raise(block, 1);
        }
        assert_eq!(far.runs, [(1, 4, 1), (7, 8, 1)]);
        far.raise(2, 5);
        far.raise(2, 4);
        assert_eq!(far.runs, [(1, 2, 1), (2, 3, 5), (3, 4, 1), (7, 8, 1)]);
        assert_eq!((far.get(0), far.get(2), far.get(3), far.get(4), far.get(7)), (0, 5, 1, 0, 1));
    }

    proptest::proptest! {
        #[test]
        fn is_a_map_of_maxima(raises in proptest::collection::vec((0u32..20, 1u32..4, proptest::bool::ANY), 0..60)) {
            let mut sides = [(Far::default(), BTreeMap::new()), (Far::default(), BTreeMap::new())];
            for &(block, count, side) in &raises {
                let (far, map) = &mut sides[usize::from(side)];
                far.raise(block, count);
                let entry = map.entry(block).or_insert(0);
                *entry = count.max(*entry);
            }
            let [(mut far, mut map), (other, others)] = sides;
            far.join(&other);
            for (block, count) in others {
                let entry = map.entry(block).or_insert(0);
                *entry = count.max(*entry);
            }
            for block in 0..21 {
                proptest::prop_assert_eq!(far.get(block), map.get(&block).copied().unwrap_or(0));
            }
        }
    }
}
