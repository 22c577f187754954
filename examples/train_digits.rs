//! A linear classifier on handwritten digits, trained with each spherical loss and with softmax.
//!
//! The losses and their gradients are the library's kernels, on a GPU or on the software device; the two matrix products
//! of the layer, logits = X W' and grad_W = grad_logits' X, are the host's. In a clone:
//!
//!     cargo run --release --example train_digits
//!
//! The digits are those of tests/golden: the first 1,200 to train, the last 597, of other writers, to test.

#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "1,797 images of 64 pixels, 0 to 16")]

use std::path::Path;
use std::sync::Arc;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use oblate::cudarc::driver::{CudaContext, CudaStream};
use oblate::spherical::{
    Dense, DenseConfig, DenseOutputs, DenseTensors, Loss, SoftmaxCrossEntropy, SoftmaxCrossEntropyConfig,
    SoftmaxCrossEntropyOutputs, SoftmaxCrossEntropyTensors,
};
use oblate::{Device, Reduction, View, ViewMut, Workspace};

const TRAINING: usize = 1200;
const CLASSES: usize = 10;
/// 64 pixels and a constant 1, which makes the last column of the weight a bias.
const WIDTH: usize = 65;
const BATCH: usize = 40;
const EPOCHS: usize = 40;
const SEED: u64 = 2;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What one loss is trained with. The learning rate falls linearly to 0 over the epochs.
struct Recipe {
    name: &'static str,
    loss: Option<Loss>, // none: softmax
    learning_rate: f32,
    weight_decay: f32,
    /// Increases with the probability that the model gives a class, or with its logit where there is no probability.
    score: fn(f32) -> f32,
}

/// What came of one loss.
pub(crate) struct Trained {
    /// The loss.
    pub(crate) name: &'static str,
    /// Its mean over the last epoch.
    pub(crate) loss: f32,
    /// The share of the test part that the classifier names right.
    pub(crate) accuracy: f32,
}

fn main() -> Result<()> {
    println!("{:<24}{:>16}{:>16}", "loss", "training loss", "test accuracy");
    for Trained { name, loss, accuracy } in train_all()? {
        println!("{name:<24}{loss:>16.4}{:>15.2}%", 100.0 * accuracy);
    }
    Ok(())
}

/// Trains one classifier with each loss.
pub(crate) fn train_all() -> Result<Vec<Trained>> {
    eprintln!("the losses run on {}", oblate_softgpu::install()?);
    let digits = Digits::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/digits.safetensors"))?;
    recipes().iter().map(|recipe| train(&digits, recipe)).collect()
}

/// The losses and what each is trained with, found by trial on the f64 references.
fn recipes() -> [Recipe; 5] {
    let same = |logit: f32| logit;
    [
        Recipe { name: "softmax", loss: None, learning_rate: 3.0, weight_decay: 1e-4, score: same },
        Recipe {
            name: "squared_error",
            loss: Some(Loss::SquaredError),
            learning_rate: 0.1,
            weight_decay: 0.05,
            score: same,
        },
        Recipe {
            name: "log_spherical_softmax",
            loss: Some(Loss::LogSphericalSoftmax { epsilon: 0.1 }),
            learning_rate: 0.1,
            weight_decay: 0.0,
            score: |logit| logit * logit,
        },
        Recipe {
            name: "log_taylor_softmax",
            loss: Some(Loss::LogTaylorSoftmax),
            learning_rate: 1.0,
            weight_decay: 0.0,
            score: |logit| 1.0 + logit + 0.5 * logit * logit,
        },
        Recipe {
            name: "z",
            loss: Some(Loss::Z { a: 4.0, b: 2.0 }),
            learning_rate: 0.03,
            weight_decay: 0.0,
            score: same,
        },
    ]
}

/// One of the library's losses, for batches of one size, reduced to their mean.
struct Kernel {
    stream: Arc<CudaStream>,
    loss: Handle,
    workspace: Workspace,
}

enum Handle {
    Spherical(Dense),
    Softmax(SoftmaxCrossEntropy),
}

impl Kernel {
    fn new(loss: Option<Loss>) -> Result<Self> {
        let stream = CudaContext::new(0)?.new_stream()?;
        let device = Device::new(0)?;
        let (rows, classes, reduction) = (BATCH, CLASSES, Reduction::Mean);
        let (loss, bytes) = if let Some(loss) = loss {
            let dense = Dense::new(&device, DenseConfig { rows, classes, loss, reduction, ..DenseConfig::default() })?;
            let bytes = dense.workspace_bytes();
            (Handle::Spherical(dense), bytes)
        } else {
            let config = SoftmaxCrossEntropyConfig { rows, classes, reduction, ..SoftmaxCrossEntropyConfig::default() };
            let softmax = SoftmaxCrossEntropy::new(&device, config)?;
            let bytes = softmax.workspace_bytes();
            (Handle::Softmax(softmax), bytes)
        };
        Ok(Self { stream, loss, workspace: Workspace::new(&device, bytes)? })
    }

    /// The mean loss of a batch, and its gradient with respect to the logits.
    fn run(&mut self, logits: &[f32], targets: &[i64]) -> Result<(f32, Vec<f32>)> {
        let stream = &self.stream;
        let (logits, targets) = (stream.clone_htod(logits)?, stream.clone_htod(targets)?);
        let (mut loss, mut grad_logits) = (stream.alloc_zeros::<f32>(1)?, stream.alloc_zeros::<f32>(BATCH * CLASSES)?);
        let logits = View::new(&logits, [BATCH, CLASSES]);
        let targets = View::new(&targets, [BATCH]);
        let out = (ViewMut::new(&mut loss, []), Some(ViewMut::new(&mut grad_logits, [BATCH, CLASSES])));
        match &self.loss {
            Handle::Spherical(dense) => {
                let outputs = DenseOutputs { loss: out.0, grad_logits: out.1 };
                dense.run(stream, DenseTensors::new(logits, targets), outputs, &mut self.workspace)?;
            }
            Handle::Softmax(softmax) => {
                let outputs = SoftmaxCrossEntropyOutputs { loss: out.0, penalty: None, lse: None, grad_logits: out.1 };
                softmax.run(stream, SoftmaxCrossEntropyTensors::new(logits, targets), outputs, &mut self.workspace)?;
            }
        }
        self.workspace.status().check(stream)?; // the labels are classes
        Ok((stream.clone_dtoh(&loss)?[0], stream.clone_dtoh(&grad_logits)?))
    }
}

/// Trains a classifier with one loss.
fn train(digits: &Digits, recipe: &Recipe) -> Result<Trained> {
    let mut kernel = Kernel::new(recipe.loss)?;
    let mut random = Random(SEED);
    let mut weight: Vec<f32> = (0..CLASSES * WIDTH).map(|_| 0.2 * random.unit() - 0.1).collect();
    let mut order: Vec<usize> = (0..TRAINING).collect();
    let (mut logits, mut grad_weight) = (vec![0.0; BATCH * CLASSES], vec![0.0; CLASSES * WIDTH]);
    let mut epoch_loss: f32 = 0.0;
    for epoch in 0..EPOCHS {
        let learning_rate = recipe.learning_rate * (1.0 - epoch as f32 / EPOCHS as f32);
        random.shuffle(&mut order);
        epoch_loss = 0.0;
        for batch in order.chunks_exact(BATCH) {
            let images: Vec<f32> = batch.iter().flat_map(|&i| digits.image(i)).copied().collect();
            let targets: Vec<i64> = batch.iter().map(|&i| digits.labels[i]).collect();
            product(&images, &weight, &mut logits);
            let (loss, grad_logits) = kernel.run(&logits, &targets)?;
            epoch_loss += loss * BATCH as f32 / TRAINING as f32;
            transposed_product(&grad_logits, &images, &mut grad_weight);
            for (w, g) in weight.iter_mut().zip(&grad_weight) {
                *w -= learning_rate * (g + recipe.weight_decay * *w);
            }
        }
    }
    Ok(Trained { name: recipe.name, loss: epoch_loss, accuracy: accuracy(digits, &weight, recipe.score) })
}

/// The share of the test part whose class has the largest score.
fn accuracy(digits: &Digits, weight: &[f32], score: fn(f32) -> f32) -> f32 {
    let test = &digits.images[TRAINING * WIDTH..];
    let labels = &digits.labels[TRAINING..];
    let mut logits = vec![0.0; labels.len() * CLASSES];
    product(test, weight, &mut logits);
    let right = logits.chunks_exact(CLASSES).zip(labels).filter(|(row, label)| {
        let best = (0..CLASSES).max_by(|&i, &j| score(row[i]).total_cmp(&score(row[j])));
        best == usize::try_from(**label).ok()
    });
    right.count() as f32 / labels.len() as f32
}

/// logits \[B, D\] = images \[B, d\] weight \[D, d\]'.
fn product(images: &[f32], weight: &[f32], logits: &mut [f32]) {
    let rows = images.len() / WIDTH;
    matmul(
        MatMut::from_row_major_slice_mut(logits, rows, CLASSES),
        Accum::Replace,
        MatRef::from_row_major_slice(images, rows, WIDTH),
        MatRef::from_row_major_slice(weight, CLASSES, WIDTH).transpose(),
        1.0,
        Par::Seq,
    );
}

/// grad_weight \[D, d\] = grad_logits \[B, D\]' images \[B, d\].
fn transposed_product(grad_logits: &[f32], images: &[f32], grad_weight: &mut [f32]) {
    let rows = images.len() / WIDTH;
    matmul(
        MatMut::from_row_major_slice_mut(grad_weight, CLASSES, WIDTH),
        Accum::Replace,
        MatRef::from_row_major_slice(grad_logits, rows, CLASSES).transpose(),
        MatRef::from_row_major_slice(images, rows, WIDTH),
        1.0,
        Par::Seq,
    );
}

/// The digits: pixels less their mean over the training part, from -1 to 1, each image followed by a 1.
struct Digits {
    images: Vec<f32>,
    labels: Vec<i64>,
}

impl Digits {
    fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = safetensors::SafeTensors::deserialize(&bytes)?;
        let pixels = file.tensor("images")?;
        let labels = file.tensor("labels")?.data().iter().map(|&label| i64::from(label)).collect();
        let mut mean = [0.0; WIDTH - 1];
        for image in pixels.data().chunks_exact(WIDTH - 1).take(TRAINING) {
            for (mean, &pixel) in mean.iter_mut().zip(image) {
                *mean += f32::from(pixel) / 16.0 / TRAINING as f32;
            }
        }
        let image = |image: &[u8]| {
            let centred: Vec<f32> =
                image.iter().zip(&mean).map(|(&pixel, mean)| f32::from(pixel) / 16.0 - mean).collect();
            centred.into_iter().chain([1.0])
        };
        Ok(Self { images: pixels.data().chunks_exact(WIDTH - 1).flat_map(image).collect(), labels })
    }

    fn image(&self, i: usize) -> &[f32] {
        &self.images[i * WIDTH..(i + 1) * WIDTH]
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

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// A uniformly random order (Fisher and Yates).
    fn shuffle(&mut self, order: &mut [usize]) {
        for i in (1..order.len()).rev() {
            order.swap(i, self.bits() as usize % (i + 1));
        }
    }
}
