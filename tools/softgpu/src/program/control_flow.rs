//! The order in which a function's blocks are laid out: a reverse post-order in which the blocks of a loop are contiguous,
//! so that a lane group that is earlier in the order is never one that another waits for, and loops reconverge at their
//! exits. nvcc's own order is not topological.

/// Loops inside each other: far more than anybody writes, and it bounds the work, which grows with it.
pub(crate) const MOST_DEEP: usize = 256;

/// More than [`MOST_DEEP`] loops lie inside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooDeep;

/// The reachable blocks of a graph in layout order, the entry (block 0) first. Along every edge but a loop's back edge
/// the order ascends, as far as the graph is reducible; a loop's blocks follow each other, its exits come after them.
pub(crate) fn layout(successors: &[&[usize]]) -> Result<Vec<usize>, TooDeep> {
    if successors.is_empty() {
        return Ok(Vec::new());
    }
    let order = reverse_post_order(successors);
    let loops = Loops::find(successors, &order);
    if loops.depth() > MOST_DEEP {
        return Err(TooDeep);
    }
    let mut laid_out = Vec::with_capacity(order.len());
    loops.lay_out(None, &order, successors, &mut laid_out);
    Ok(laid_out)
}

/// Depth-first from block 0, without recursion: a kernel may have thousands of blocks.
fn reverse_post_order(successors: &[&[usize]]) -> Vec<usize> {
    let mut seen = vec![false; successors.len()];
    let mut order = Vec::with_capacity(successors.len());
    let mut stack = vec![(0, 0)];
    seen[0] = true;
    while let Some((block, next)) = stack.last_mut() {
        if let Some(&successor) = successors[*block].get(*next) {
            *next += 1;
            if !seen[successor] {
                seen[successor] = true;
                stack.push((successor, 0));
            }
        } else {
            order.push(*block);
            stack.pop();
        }
    }
    order.reverse();
    order
}

/// The immediate dominator of each block (Cooper, Harvey and Kennedy 2001); its own for the entry, `usize::MAX` where
/// unreachable.
fn dominators(successors: &[&[usize]], order: &[usize]) -> Vec<usize> {
    let mut rank = vec![usize::MAX; successors.len()];
    order.iter().enumerate().for_each(|(i, &block)| rank[block] = i);
    let mut predecessors = vec![Vec::new(); successors.len()];
    for &block in order {
        successors[block].iter().for_each(|&successor| predecessors[successor].push(block));
    }
    let mut dominator = vec![usize::MAX; successors.len()];
    dominator[order[0]] = order[0];
    let mut changed = true;
    while changed {
        changed = false;
        for &block in &order[1..] {
            let mut known = predecessors[block].iter().copied().filter(|&p| dominator[p] != usize::MAX);
            let first = known.next().expect("a predecessor precedes every block but the entry");
            let common = known.fold(first, |mut a, mut b| {
                while a != b {
                    while rank[a] > rank[b] {
                        a = dominator[a];
                    }
                    while rank[b] > rank[a] {
                        b = dominator[b];
                    }
                }
                a
            });
            if dominator[block] != common {
                dominator[block] = common;
                changed = true;
            }
        }
    }
    dominator
}

/// A natural loop: the blocks that reach a back edge without passing the header.
struct Loop {
    header: usize,
    contains: Vec<bool>,
    size: usize,
    parent: Option<usize>,
}

struct Loops {
    loops: Vec<Loop>,
    /// The innermost loop of each block.
    innermost: Vec<Option<usize>>,
}

impl Loops {
    fn find(successors: &[&[usize]], order: &[usize]) -> Self {
        let count = successors.len();
        let dominator = dominators(successors, order);
        let mut rank = vec![usize::MAX; count];
        order.iter().enumerate().for_each(|(i, &block)| rank[block] = i);
        // A dominator is earlier in the order, so that few blocks are gone through.
        let dominates = |a: usize, mut b: usize| {
            while rank[b] > rank[a] {
                b = dominator[b];
            }
            a == b
        };
        let mut predecessors = vec![Vec::new(); count];
        for &block in order {
            successors[block].iter().for_each(|&successor| predecessors[successor].push(block));
        }
        let mut loops: Vec<Loop> = Vec::new();
        for &header in order {
            let latches: Vec<usize> = predecessors[header].iter().copied().filter(|&p| dominates(header, p)).collect();
            if latches.is_empty() {
                continue;
            }
            let mut contains = vec![false; count];
            contains[header] = true;
            let mut work = latches;
            while let Some(block) = work.pop() {
                if !contains[block] {
                    contains[block] = true;
                    work.extend(&predecessors[block]);
                }
            }
            let size = contains.iter().filter(|&&inside| inside).count();
            loops.push(Loop { header, contains, size, parent: None });
        }
        // Two natural loops with different headers are disjoint or nested: the smallest that contains another's header,
        // apart from itself, is its parent.
        for index in 0..loops.len() {
            let header = loops[index].header;
            let outer = (0..loops.len()).filter(|&other| other != index && loops[other].contains[header]);
            loops[index].parent = outer.min_by_key(|&other| loops[other].size);
        }
        let innermost = (0..count)
            .map(|block| (0..loops.len()).filter(|&l| loops[l].contains[block]).min_by_key(|&l| loops[l].size))
            .collect();
        Self { loops, innermost }
    }

    /// The most loops that hold one block.
    fn depth(&self) -> usize {
        // Smaller loops lie in larger ones: a parent comes before its children.
        let mut by_size: Vec<usize> = (0..self.loops.len()).collect();
        by_size.sort_by_key(|&index| std::cmp::Reverse(self.loops[index].size));
        let mut depths = vec![0; self.loops.len()];
        for index in by_size {
            depths[index] = 1 + self.loops[index].parent.map_or(0, |parent| depths[parent]);
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// The loop directly below `region` that holds `block`, or the block itself where none does; `None` outside.
    fn member(&self, region: Option<usize>, block: usize) -> Option<Member> {
        let mut below = self.innermost[block];
        if below == region {
            return Some(Member::Block(block));
        }
        while let Some(inner) = below {
            if self.loops[inner].parent == region {
                return Some(Member::Loop(inner));
            }
            below = self.loops[inner].parent;
        }
        None
    }

    /// Appends the blocks of a region: a topological order of its own blocks and its inner loops, each of those whole.
    fn lay_out(&self, region: Option<usize>, order: &[usize], successors: &[&[usize]], laid_out: &mut Vec<usize>) {
        let holds = |&block: &usize| region.is_none_or(|region| self.loops[region].contains[block]);
        let blocks: Vec<usize> = order.iter().copied().filter(holds).collect();
        let node = |block| match self.member(region, block) {
            Some(Member::Loop(inner)) => Some(self.loops[inner].header),
            Some(Member::Block(block)) => Some(block),
            None => None,
        };
        let mut edges = vec![Vec::new(); successors.len()];
        let entry = region.map_or(order[0], |region| self.loops[region].header);
        for &block in &blocks {
            let from = node(block).expect("a block of the region");
            for to in successors[block].iter().filter_map(|&successor| node(successor)) {
                if to != from && to != entry && !edges[from].contains(&to) {
                    edges[from].push(to);
                }
            }
        }
        let entry = node(entry).expect("the entry lies in its region");
        let members = topological(entry, &edges);
        // What is held while inner loops are laid out grows with their depth.
        drop((blocks, edges));
        for at in members {
            match self.member(region, at) {
                Some(Member::Loop(inner)) => self.lay_out(Some(inner), order, successors, laid_out),
                _ => laid_out.push(at),
            }
        }
    }
}

enum Member {
    Block(usize),
    Loop(usize),
}

/// A reverse post-order from `entry`; topological where the edges have no cycle.
fn topological(entry: usize, edges: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; edges.len()];
    let mut order = Vec::new();
    let mut stack = vec![(entry, 0)];
    seen[entry] = true;
    while let Some((block, next)) = stack.last_mut() {
        if let Some(&successor) = edges[*block].get(*next) {
            *next += 1;
            if !seen[successor] {
                seen[successor] = true;
                stack.push((successor, 0));
            }
        } else {
            order.push(*block);
            stack.pop();
        }
    }
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MOST_DEEP, TooDeep};

    fn slices(successors: &[Vec<usize>]) -> Vec<&[usize]> {
        successors.iter().map(|list| &list[..]).collect()
    }

    fn layout(successors: &[Vec<usize>]) -> Result<Vec<usize>, TooDeep> {
        super::layout(&slices(successors))
    }

    #[test]
    fn the_exit_of_a_loop_follows_the_whole_loop() {
        // 0 -> 1 (header) -> {2, 3}; 2 -> 4 (latch) -> 1; 3 -> {5 (exit), 4}.
        let order = layout(&[vec![1], vec![2, 3], vec![4], vec![5, 4], vec![1], vec![]]).unwrap();
        let at = |block| order.iter().position(|&b| b == block).unwrap();
        assert_eq!(order.len(), 6);
        assert_eq!(at(5), 5);
        assert!(at(2) < at(4) && at(3) < at(4));
    }

    #[test]
    fn nested_loops_are_contiguous_and_unreachable_blocks_are_left_out() {
        // 0 -> 1 -> 2 -> {2, 3}; 3 -> {1, 4}; 5 is unreachable.
        assert_eq!(layout(&[vec![1], vec![2], vec![2, 3], vec![1, 4], vec![], vec![4]]), Ok(vec![0, 1, 2, 3, 4]));
        assert_eq!(layout(&[]), Ok(Vec::new()));
    }

    #[test]
    fn two_entries_into_a_cycle_still_give_every_block_once() {
        let mut order = layout(&[vec![1, 2], vec![2], vec![1, 3], vec![]]).unwrap();
        assert_eq!(order[0], 0);
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3]);
    }

    /// Loops inside each other: block i heads a loop whose latch is block 2 n - 1 - i.
    fn nested(loops: usize) -> Vec<Vec<usize>> {
        let mut successors: Vec<Vec<usize>> = (1..=2 * loops).map(|next| vec![next]).collect();
        (0..loops).for_each(|header| successors[2 * loops - 1 - header].push(header));
        successors.push(Vec::new());
        successors
    }

    #[test]
    fn loops_are_nested_so_deep_and_no_deeper() {
        assert_eq!(layout(&nested(MOST_DEEP)), Ok((0..=2 * MOST_DEEP).collect()));
        assert_eq!(layout(&nested(MOST_DEEP + 1)), Err(TooDeep));
    }

    proptest! {
        #[test]
        fn every_reachable_block_once_and_loops_whole(edges in proptest::collection::vec((0usize..12, 0usize..12), 0..30)) {
            let mut successors = vec![Vec::new(); 12];
            for (from, to) in edges {
                if to != 0 && !successors[from].contains(&to) {
                    successors[from].push(to);
                }
            }
            let order = layout(&successors).unwrap();
            let mut reached = vec![0];
            let mut next = 0;
            while next < reached.len() {
                for &to in &successors[reached[next]] {
                    if !reached.contains(&to) {
                        reached.push(to);
                    }
                }
                next += 1;
            }
            let mut sorted = order.clone();
            sorted.sort_unstable();
            reached.sort_unstable();
            prop_assert_eq!(order[0], 0);
            prop_assert_eq!(sorted, reached);
            // A block that is reached back from a later one, and dominates it, has their whole loop in between.
            let at = |block| order.iter().position(|&b| b == block).unwrap();
            let successors = slices(&successors);
            let order_of_graph = super::reverse_post_order(&successors);
            for l in super::Loops::find(&successors, &order_of_graph).loops {
                let places: Vec<usize> = (0..12).filter(|&b| l.contains[b]).map(at).collect();
                let (low, high) = (places.iter().min().unwrap(), places.iter().max().unwrap());
                prop_assert_eq!(high - low + 1, l.size);
                prop_assert_eq!(*low, at(l.header));
            }
        }
    }
}
