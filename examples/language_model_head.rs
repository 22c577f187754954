//! The output layer of a small language model, trained three ways on a text of 1776: by the Z-loss of a factored layer, whose
//! step costs the same whatever the vocabulary; by softmax cross entropy over all words; and by hierarchical softmax over
//! clusters of them.
//!
//! The text is the Declaration of Independence, 1,322 words of which 534 differ. The model is a bigram: a word's vector, times the layer, gives the next word. The layer's kernels are the library's, on a GPU
//! or on the software device; the vectors, and the descent of the two layers that do not train themselves, are the host's.
//! After each epoch `spherical.rank` says where the right word stands among all. In a clone:
//!
//!     cargo run --release --example language_model_head

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "some hundred words, some thousand pairs"
)]

use std::collections::HashMap;
use std::sync::Arc;

use oblate::cudarc::driver::{CudaContext, CudaSlice, CudaStream};
use oblate::spherical::{
    FactoredConfig, FactoredLayer, FactoredOutputs, FactoredTensors, HierarchicalSoftmax, HierarchicalSoftmaxConfig,
    HierarchicalSoftmaxOutputs, HierarchicalSoftmaxTensors, LinearCrossEntropy, LinearCrossEntropyConfig,
    LinearCrossEntropyOutputs, LinearCrossEntropyTensors, Loss, Rank, RankConfig, RankOutputs, RankTensors,
};
use oblate::{Device, Reduction, View, ViewMut, Workspace};

const TEXT: &str = include_str!("data/declaration.txt");
const WIDTH: usize = 32;
const BATCH: usize = 32;
/// A hit is a right word among the first so many.
const HITS: usize = 10;
const SEED: u64 = 1;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How a head did in an epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    /// Mean loss of its steps.
    pub(crate) loss: f32,
    /// Mean rank of the next word after it, of all words.
    pub(crate) rank: f32,
    /// The share of next words that are among the first `HITS`.
    pub(crate) hits: f32,
}

/// What a step costs, counted on the software device.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) launches: usize,
    pub(crate) bytes: u64,
    pub(crate) instructions: u64,
}

/// What came of one head.
pub(crate) struct Trained {
    pub(crate) name: &'static str,
    pub(crate) epochs: Vec<Epoch>,
    /// None on a GPU, which does not count.
    pub(crate) cost: Option<Cost>,
}

fn main() -> Result<()> {
    let all = train_all(8)?;
    println!("{:<24}{:>8}{:>10}{:>12}{:>12}", "head", "epoch", "loss", "mean rank", format!("top {HITS}"));
    for Trained { name, epochs, .. } in &all {
        for (i, Epoch { loss, rank, hits }) in epochs.iter().enumerate() {
            println!("{name:<24}{:>8}{loss:>10.3}{rank:>12.2}{:>11.1}%", i + 1, 100.0 * hits);
        }
    }
    println!("\ncounted, of a step of {BATCH} words, the host's part of the descent left out");
    println!("{:<24}{:>10}{:>14}{:>20}", "head", "launches", "bytes moved", "warp instructions");
    for Trained { name, cost, .. } in &all {
        match cost {
            Some(Cost { launches, bytes, instructions }) => {
                println!("{name:<24}{launches:>10}{bytes:>14}{instructions:>20}");
            }
            None => println!("{name:<24}{:>10}", "on a GPU: not counted"),
        }
    }
    Ok(())
}

/// Trains one model with each head.
pub(crate) fn train_all(epochs: usize) -> Result<Vec<Trained>> {
    eprintln!("the heads run on {}", oblate_softgpu::install()?);
    let text = Text::new(TEXT);
    let on = On { stream: CudaContext::new(0)?.new_stream()?, device: Device::new(0)? };
    let mut random = Random(SEED);
    let weight = random.uniform(text.words * WIDTH, 0.1);
    let mut heads: Vec<(Box<dyn Head>, f32)> = vec![
        (Box::new(Factored::new(&on, text.words, &weight)?), 16.0),
        (Box::new(Softmax::new(&on, text.words, weight.clone())?), 32.0),
        (Box::new(Hierarchical::new(&on, text.words, weight, &mut random)?), 32.0),
    ];
    heads.iter_mut().map(|(head, learning_rate)| train(&text, head.as_mut(), *learning_rate, epochs)).collect()
}

/// Trains the vectors, and through `head` itself. `learning_rate`, of the vectors, falls linearly to 0, as the head's does.
fn train(text: &Text, head: &mut dyn Head, learning_rate: f32, epochs: usize) -> Result<Trained> {
    let mut random = Random(SEED);
    let mut vectors = random.uniform(text.words * WIDTH, 1.0);
    let mut order: Vec<usize> = (0..text.pairs.len()).collect();
    let mut trained = Trained { name: head.name(), epochs: Vec::new(), cost: None };
    let steps = order.len() / BATCH;
    for epoch in 0..epochs {
        let decay = 1.0 - epoch as f32 / epochs as f32;
        random.shuffle(&mut order);
        let mut total = 0.0;
        for batch in order.chunks_exact(BATCH) {
            let hidden: Vec<f32> = batch.iter().flat_map(|&i| vector(&vectors, text.pairs[i].0)).copied().collect();
            let targets: Vec<i64> = batch.iter().map(|&i| text.pairs[i].1 as i64).collect();
            let (step, record) = oblate_softgpu::record(|| head.step(&hidden, &targets, decay));
            let (loss, grad_hidden) = step?;
            trained.cost = Cost::of(&record);
            total += loss;
            for (&i, gradient) in batch.iter().zip(grad_hidden.chunks_exact(WIDTH)) {
                let word = text.pairs[i].0;
                descend(&mut vectors[word * WIDTH..][..WIDTH], gradient, decay * learning_rate);
            }
        }
        let hidden: Vec<f32> = text.pairs.iter().flat_map(|pair| vector(&vectors, pair.0)).copied().collect();
        let ranks = head.ranks(&hidden, &text.pairs.iter().map(|pair| pair.1 as i64).collect::<Vec<_>>())?;
        let count = ranks.len() as f32;
        trained.epochs.push(Epoch {
            loss: total / steps as f32,
            rank: ranks.iter().map(|&rank| rank as f32).sum::<f32>() / count,
            hits: ranks.iter().filter(|&&rank| rank as usize <= HITS).count() as f32 / count,
        });
    }
    Ok(trained)
}

fn vector(vectors: &[f32], word: usize) -> &[f32] {
    &vectors[word * WIDTH..][..WIDTH]
}

fn descend(values: &mut [f32], gradient: &[f32], learning_rate: f32) {
    values.iter_mut().zip(gradient).for_each(|(value, g)| *value -= learning_rate * g);
}

impl Cost {
    fn of(record: &oblate_softgpu::Record) -> Option<Self> {
        let launches = &record.launches;
        let sum = |of: fn(&oblate_softgpu::inspect::counters::Counters) -> u64| {
            launches.iter().map(|launch| of(&launch.counters)).sum()
        };
        (!launches.is_empty()).then(|| Self {
            launches: launches.len(),
            bytes: sum(oblate_softgpu::inspect::counters::Counters::moved_bytes),
            instructions: sum(oblate_softgpu::inspect::counters::Counters::instructions),
        })
    }
}

/// A text as pairs of a word and the next one. Words are numbered from the most frequent to the least.
struct Text {
    words: usize,
    pairs: Vec<(usize, usize)>,
}

impl Text {
    fn new(text: &str) -> Self {
        let lower = text.to_lowercase();
        let words: Vec<&str> =
            lower.split(|c: char| !(c.is_alphabetic() || c == '\'')).filter(|word| !word.is_empty()).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for &word in &words {
            *counts.entry(word).or_default() += 1;
        }
        let mut by_count: Vec<(&str, usize)> = counts.into_iter().collect();
        by_count.sort_by_key(|&(word, count)| (usize::MAX - count, word));
        let numbers: HashMap<&str, usize> = by_count.iter().enumerate().map(|(i, &(word, _))| (word, i)).collect();
        let pairs = words.windows(2).map(|pair| (numbers[pair[0]], numbers[pair[1]])).collect();
        Self { words: numbers.len(), pairs }
    }
}

/// Where the heads are.
#[derive(Clone)]
struct On {
    stream: Arc<CudaStream>,
    device: Device,
}

impl On {
    /// The ranks of the targets in the logits hidden weight'.
    fn ranks_of_head(&self, hidden: &[f32], weight: &[f32], targets: &[i64]) -> Result<Vec<u32>> {
        let (rows, classes) = (targets.len(), weight.len() / WIDTH);
        let config = RankConfig { rows, classes, width: Some(WIDTH), k: HITS, ..RankConfig::default() };
        let (hidden, weight) = (self.stream.clone_htod(hidden)?, self.stream.clone_htod(weight)?);
        let targets = self.stream.clone_htod(targets)?;
        let (hidden, weight) = (View::new(&hidden, [rows, WIDTH]), View::new(&weight, [classes, WIDTH]));
        self.ranks(config, RankTensors::of_head(hidden, weight, View::new(&targets, [rows])))
    }

    /// The ranks of the targets in given logits.
    fn ranks_of_logits(&self, logits: &[f32], targets: &[i64]) -> Result<Vec<u32>> {
        let (rows, classes) = (targets.len(), logits.len() / targets.len());
        let config = RankConfig { rows, classes, k: HITS, ..RankConfig::default() };
        let (logits, targets) = (self.stream.clone_htod(logits)?, self.stream.clone_htod(targets)?);
        self.ranks(config, RankTensors::of_logits(View::new(&logits, [rows, classes]), View::new(&targets, [rows])))
    }

    fn ranks(&self, config: RankConfig, tensors: RankTensors<'_>) -> Result<Vec<u32>> {
        let rank = Rank::new(&self.device, config)?;
        let mut workspace = self.workspace(rank.workspace_bytes())?;
        let rows = config.rows;
        let (mut ranks, mut hits) = (self.stream.alloc_zeros::<u32>(rows)?, self.stream.alloc_zeros::<u8>(rows)?);
        let outputs = RankOutputs { rank: ViewMut::new(&mut ranks, [rows]), hits: ViewMut::new(&mut hits, [rows]) };
        rank.run(&self.stream, tensors, outputs, &mut workspace)?;
        workspace.status().check(&self.stream)?;
        Ok(self.stream.clone_dtoh(&ranks)?)
    }

    fn workspace(&self, bytes: usize) -> Result<Workspace> {
        Ok(Workspace::new(&self.device, bytes)?)
    }

    fn zeros(&self, count: usize) -> Result<CudaSlice<f32>> {
        Ok(self.stream.alloc_zeros::<f32>(count)?)
    }
}

/// An output layer that learns to name the next word.
trait Head {
    fn name(&self) -> &'static str;

    /// The mean loss of a batch, and its gradient by hidden \[BATCH, WIDTH\]; the layer descends, its learning rate times
    /// `decay`.
    fn step(&mut self, hidden: &[f32], targets: &[i64], decay: f32) -> Result<(f32, Vec<f32>)>;

    /// The ranks of the targets, the most probable word being 1.
    fn ranks(&mut self, hidden: &[f32], targets: &[i64]) -> Result<Vec<u32>>;
}

/// The Z-loss of a factored layer, which trains itself.
struct Factored {
    on: On,
    layer: FactoredLayer,
}

impl Factored {
    const LEARNING_RATE: f64 = 0.2;

    fn new(on: &On, words: usize, weight: &[f32]) -> Result<Self> {
        let config = FactoredConfig {
            rows: BATCH,
            classes: words,
            width: WIDTH,
            loss: Loss::Z { a: 0.3, b: 15.0 },
            learning_rate: Self::LEARNING_RATE,
            reduction: Reduction::Mean,
            ..FactoredConfig::default()
        };
        let weight = on.stream.clone_htod(weight)?;
        let layer = FactoredLayer::new(&on.device, &on.stream, config, View::new(&weight, [words, WIDTH]))?;
        on.stream.synchronize()?;
        Ok(Self { on: on.clone(), layer })
    }
}

impl Head for Factored {
    fn name(&self) -> &'static str {
        "factored z"
    }

    fn step(&mut self, hidden: &[f32], targets: &[i64], decay: f32) -> Result<(f32, Vec<f32>)> {
        let stream = &self.on.stream;
        let (hidden, targets) = (stream.clone_htod(hidden)?, stream.clone_htod(targets)?);
        let (mut loss, mut grad_hidden) = (self.on.zeros(1)?, self.on.zeros(BATCH * WIDTH)?);
        self.layer.set_learning_rate(Self::LEARNING_RATE * f64::from(decay))?;
        let tensors = FactoredTensors::new(View::new(&hidden, [BATCH, WIDTH]), View::new(&targets, [BATCH]));
        let outputs = FactoredOutputs {
            loss: ViewMut::new(&mut loss, []),
            grad_hidden: Some(ViewMut::new(&mut grad_hidden, [BATCH, WIDTH])),
        };
        self.layer.step(stream, tensors, outputs)?;
        self.layer.check(stream)?;
        Ok((stream.clone_dtoh(&loss)?[0], stream.clone_dtoh(&grad_hidden)?))
    }

    fn ranks(&mut self, hidden: &[f32], targets: &[i64]) -> Result<Vec<u32>> {
        let words = self.layer.config().classes;
        let mut weight = self.on.zeros(words * WIDTH)?;
        self.layer.expand(&self.on.stream, ViewMut::new(&mut weight, [words, WIDTH]))?;
        let weight = self.on.stream.clone_dtoh(&weight)?;
        self.on.ranks_of_head(hidden, &weight, targets)
    }
}

/// Softmax cross entropy over all words.
struct Softmax {
    on: On,
    head: LinearCrossEntropy,
    workspace: Workspace,
    weight: Vec<f32>,
}

impl Softmax {
    const LEARNING_RATE: f32 = 4.0;

    fn new(on: &On, words: usize, weight: Vec<f32>) -> Result<Self> {
        let config = LinearCrossEntropyConfig {
            rows: BATCH,
            classes: words,
            width: WIDTH,
            reduction: Reduction::Mean,
            ..LinearCrossEntropyConfig::default()
        };
        let head = LinearCrossEntropy::new(&on.device, config)?;
        let workspace = on.workspace(head.workspace_bytes())?;
        Ok(Self { on: on.clone(), head, workspace, weight })
    }
}

impl Head for Softmax {
    fn name(&self) -> &'static str {
        "linear_cross_entropy"
    }

    fn step(&mut self, hidden: &[f32], targets: &[i64], decay: f32) -> Result<(f32, Vec<f32>)> {
        let (stream, words) = (&self.on.stream, self.head.config().classes);
        let (hidden, targets) = (stream.clone_htod(hidden)?, stream.clone_htod(targets)?);
        let weight = stream.clone_htod(&self.weight)?;
        let (mut loss, mut grad_hidden) = (self.on.zeros(1)?, self.on.zeros(BATCH * WIDTH)?);
        let mut grad_weight = self.on.zeros(words * WIDTH)?;
        let tensors = LinearCrossEntropyTensors::new(
            View::new(&hidden, [BATCH, WIDTH]),
            View::new(&weight, [words, WIDTH]),
            View::new(&targets, [BATCH]),
        );
        let outputs = LinearCrossEntropyOutputs {
            grad_hidden: Some(ViewMut::new(&mut grad_hidden, [BATCH, WIDTH])),
            grad_weight: Some(ViewMut::new(&mut grad_weight, [words, WIDTH])),
            ..LinearCrossEntropyOutputs::new(ViewMut::new(&mut loss, []))
        };
        self.head.run(stream, tensors, outputs, &mut self.workspace)?;
        self.workspace.status().check(stream)?;
        descend(&mut self.weight, &stream.clone_dtoh(&grad_weight)?, decay * Self::LEARNING_RATE);
        Ok((stream.clone_dtoh(&loss)?[0], stream.clone_dtoh(&grad_hidden)?))
    }

    fn ranks(&mut self, hidden: &[f32], targets: &[i64]) -> Result<Vec<u32>> {
        self.on.ranks_of_head(hidden, &self.weight, targets)
    }
}

/// Softmax over clusters of words, then over the words of one: words of like frequency are a cluster.
struct Hierarchical {
    on: On,
    head: HierarchicalSoftmax,
    workspace: Workspace,
    offsets: Vec<i64>,
    weight: Vec<f32>,
    cluster_weight: Vec<f32>,
}

impl Hierarchical {
    const LEARNING_RATE: f32 = 4.0;

    fn new(on: &On, words: usize, weight: Vec<f32>, random: &mut Random) -> Result<Self> {
        let clusters = words.isqrt();
        let offsets: Vec<i64> = (0..=clusters).map(|cluster| (cluster * words / clusters) as i64).collect();
        let config = HierarchicalSoftmaxConfig {
            rows: BATCH,
            classes: words,
            clusters,
            width: WIDTH,
            reduction: Reduction::Mean,
            need_grad_weight: true,
            ..HierarchicalSoftmaxConfig::default()
        };
        let head = HierarchicalSoftmax::new(&on.device, config)?;
        let workspace = on.workspace(head.workspace_bytes())?;
        let cluster_weight = random.uniform(clusters * WIDTH, 0.1);
        Ok(Self { on: on.clone(), head, workspace, offsets, weight, cluster_weight })
    }
}

impl Head for Hierarchical {
    fn name(&self) -> &'static str {
        "hierarchical_softmax"
    }

    fn step(&mut self, hidden: &[f32], targets: &[i64], decay: f32) -> Result<(f32, Vec<f32>)> {
        let HierarchicalSoftmaxConfig { classes: words, clusters, .. } = *self.head.config();
        let stream = &self.on.stream;
        let (hidden, targets) = (stream.clone_htod(hidden)?, stream.clone_htod(targets)?);
        let (weight, cluster_weight) = (stream.clone_htod(&self.weight)?, stream.clone_htod(&self.cluster_weight)?);
        let offsets = stream.clone_htod(&self.offsets)?;
        let (mut loss, mut grad_hidden) = (self.on.zeros(1)?, self.on.zeros(BATCH * WIDTH)?);
        let (mut grad_weight, mut grad_cluster_weight) =
            (self.on.zeros(words * WIDTH)?, self.on.zeros(clusters * WIDTH)?);
        let tensors = HierarchicalSoftmaxTensors {
            hidden: View::new(&hidden, [BATCH, WIDTH]),
            weight: View::new(&weight, [words, WIDTH]),
            cluster_weight: View::new(&cluster_weight, [clusters, WIDTH]),
            cluster_offsets: View::new(&offsets, [clusters + 1]),
            targets: View::new(&targets, [BATCH]),
            row_weights: None,
            grad_loss: None,
        };
        let outputs = HierarchicalSoftmaxOutputs {
            loss: ViewMut::new(&mut loss, []),
            grad_hidden: Some(ViewMut::new(&mut grad_hidden, [BATCH, WIDTH])),
            grad_weight: Some(ViewMut::new(&mut grad_weight, [words, WIDTH])),
            grad_cluster_weight: Some(ViewMut::new(&mut grad_cluster_weight, [clusters, WIDTH])),
        };
        self.head.run(stream, tensors, outputs, &mut self.workspace)?;
        self.workspace.status().check(stream)?;
        descend(&mut self.weight, &stream.clone_dtoh(&grad_weight)?, decay * Self::LEARNING_RATE);
        descend(&mut self.cluster_weight, &stream.clone_dtoh(&grad_cluster_weight)?, decay * Self::LEARNING_RATE);
        Ok((stream.clone_dtoh(&loss)?[0], stream.clone_dtoh(&grad_hidden)?))
    }

    /// Of the log-probabilities of all words, which the host forms: log p(cluster) + log p(word | cluster).
    fn ranks(&mut self, hidden: &[f32], targets: &[i64]) -> Result<Vec<u32>> {
        let logit = |h: &[f32], w: &[f32]| h.iter().zip(w).map(|(h, w)| h * w).sum::<f32>();
        let log_probabilities = |h: &[f32], weight: &[f32]| {
            let logits: Vec<f32> = weight.chunks_exact(WIDTH).map(|w| logit(h, w)).collect();
            let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let lse = max + logits.iter().map(|o| (o - max).exp()).sum::<f32>().ln();
            logits.into_iter().map(move |o| o - lse)
        };
        let of_row = |h: &[f32]| {
            let of_clusters = log_probabilities(h, &self.cluster_weight);
            let words = self.offsets.windows(2).zip(of_clusters).map(|(bounds, of_cluster)| {
                let words = bounds[0] as usize * WIDTH..bounds[1] as usize * WIDTH;
                log_probabilities(h, &self.weight[words]).map(|o| o + of_cluster).collect::<Vec<f32>>()
            });
            words.collect::<Vec<_>>().concat()
        };
        let logits: Vec<f32> = hidden.chunks_exact(WIDTH).flat_map(of_row).collect();
        self.on.ranks_of_logits(&logits, targets)
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [-bound, bound).
    fn uniform(&mut self, count: usize, bound: f32) -> Vec<f32> {
        let unit = |random: &mut Self| (random.bits() >> 40) as f32 / (1_u32 << 24) as f32;
        (0..count).map(|_| bound * (2.0 * unit(self) - 1.0)).collect()
    }

    /// A uniformly random order (Fisher and Yates).
    fn shuffle(&mut self, order: &mut [usize]) {
        for i in (1..order.len()).rev() {
            order.swap(i, self.bits() as usize % (i + 1));
        }
    }
}
