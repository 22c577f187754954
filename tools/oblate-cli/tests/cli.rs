//! The command line as a user meets it: every wrong input gets one line and exit code 2, and leaves no output.

#![allow(clippy::cast_precision_loss, reason = "test data is small")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use oblate_cli::{Tensor, Tensors, tensor_file};
use safetensors::Dtype;
use tempfile::TempDir;

/// A folder with the input of a call that is right: 8 rows of 5 logits.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.input(|_| {});
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the input, changed by `change`.
    fn input(&self, change: impl FnOnce(&mut Tensors)) {
        let logits: Vec<f64> = (0..40).map(|i| f64::from(i % 7) - 3.0).collect();
        let mut tensors = Tensors::from([
            ("logits".to_owned(), Tensor::from_f64(Dtype::F32, [8, 5], &logits)),
            ("targets".to_owned(), Tensor::from_i64([8], &[0, 1, 2, 3, 4, 0, 1, -100])),
        ]);
        change(&mut tensors);
        tensor_file::write(&self.path("in"), &tensors).unwrap();
    }

    /// `oblate run OPERATION` on the input, with further arguments, on the reference.
    fn run(&self, operation: &str, further: &[&str]) -> Output {
        let mut arguments = vec!["run", operation, "--input", "in", "--output", "out", "--device", "reference"];
        arguments.extend(further);
        oblate(self.0.path(), &arguments)
    }

    /// The files of the folder.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oblate"));
    command.args(arguments).current_dir(folder).env_remove("OBLATE_DEVICE");
    command
}

fn oblate(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn assert_wrong_use(output: &Output, line: &str) {
    assert_eq!((stderr(output).as_str(), output.status.code()), (format!("oblate: {line}\n").as_str(), Some(2)));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

const DENSE: &str = "spherical.dense";
const SOFTMAX: &str = "spherical.softmax_cross_entropy";
const LINEAR: &str = "spherical.linear_cross_entropy";
const Z: [&str; 2] = ["--set", "loss=z"];

/// A change of the input, in words and in fact, and the line that it gets.
type WrongTensor = (fn(&mut Tensors), &'static str);

#[test]
fn every_wrong_tensor_gets_one_line() {
    fn put(tensors: &mut Tensors, name: &str, tensor: Tensor) {
        tensors.insert(name.to_owned(), tensor);
    }
    fn floats(dtype: Dtype, shape: &[usize]) -> Tensor {
        Tensor::from_f64(dtype, shape, &vec![1.0; shape.iter().product()])
    }
    let wrong: [WrongTensor; 19] = [
        (|t| drop(t.remove("logits")), "logits is missing, expected f32, f16 or bf16 [B, D]"),
        (|t| drop(t.remove("targets")), "targets is missing, expected i64 or u32 [B] = [8] or [B, K] = [8, K]"),
        (|t| put(t, "targets", Tensor::from_i64([8, 1], &[0; 8])), "values is missing, expected f32 [B, K] = [8, 1]"),
        (|t| put(t, "target", Tensor::from_i64([1], &[0])), "no tensor target; did you mean targets?"),
        (|t| put(t, "zzz", Tensor::from_i64([1], &[0])), "no tensor zzz"),
        (|t| put(t, "loss", floats(Dtype::F32, &[8])), "no tensor loss; did you mean logits?"),
        (|t| put(t, "logits", floats(Dtype::F64, &[8, 5])), "logits is f64, expected f32, f16 or bf16"),
        (|t| put(t, "logits", Tensor::from_i64([8, 5], &[0; 40])), "logits is i64, expected f32, f16 or bf16"),
        (|t| put(t, "targets", floats(Dtype::F32, &[8])), "targets is f32, expected i64 or u32"),
        (|t| put(t, "row_weights", floats(Dtype::F16, &[8])), "row_weights is f16, expected f32"),
        (|t| put(t, "logits", floats(Dtype::F32, &[40])), "logits has shape [40], expected [B, D]"),
        (|t| put(t, "logits", floats(Dtype::F32, &[8, 0])), "classes is 0, expected 1 to 2147483647"),
        (
            |t| put(t, "targets", Tensor::from_i64([4], &[0; 4])),
            "targets has shape [4], expected [B] = [8] or [B, K] = [8, K]",
        ),
        (|t| put(t, "row_weights", floats(Dtype::F32, &[8, 1])), "row_weights has shape [8, 1], expected [B] = [8]"),
        (|t| put(t, "grad_loss", floats(Dtype::F32, &[])), "grad_loss has shape [], expected [B] = [8]"),
        (
            |t| put(t, "values", floats(Dtype::F32, &[8, 1])),
            "values is given, expected only when targets has 2 dimensions",
        ),
        (
            |t| {
                put(t, "targets", Tensor::from_i64([8, 2], &[0; 16]));
                put(t, "values", floats(Dtype::F32, &[8, 3]));
            },
            "values has shape [8, 3], expected [B, K] = [8, 2]",
        ),
        (
            |t| put(t, "targets", Tensor::from_i64([8], &[0, 1, 5, 3, 4, 0, 1, -1])),
            "targets[2] is 5, expected -100 (ignore_index) or 0 to 4",
        ),
        (
            |t| put(t, "targets", Tensor::from_u32([8], &[0, 1, 2, 3, 4, 0, 1, u32::MAX])),
            "targets[7] is 4294967295, expected -100 (ignore_index) or 0 to 4",
        ),
    ];
    for (change, line) in wrong {
        let folder = Folder::new();
        folder.input(change);
        assert_wrong_use(&folder.run(DENSE, &Z), &format!("{DENSE}: {line}"));
        assert_eq!(folder.files(), ["in"], "{line}");
    }
}

#[test]
fn every_wrong_parameter_gets_one_line() {
    let folder = Folder::new();
    let dense = [
        (vec![], "loss is not set, expected squared_error | log_spherical_softmax | log_taylor_softmax | z"),
        (vec!["loss=y"], "loss is y, expected squared_error | log_spherical_softmax | log_taylor_softmax | z"),
        (vec!["loss=z", "a=0"], "a is 0, expected a number > 0"),
        (vec!["loss=z", "a=NaN"], "a is NaN, expected a number > 0"),
        (vec!["loss=z", "b=inf"], "b is inf, expected a number"),
        (vec!["loss=z", "b="], "b is , expected a number"),
        (vec!["loss=z", "reduction=avg"], "reduction is avg, expected none | mean | sum"),
        (vec!["loss=z", "need_grad=1"], "need_grad is 1, expected true | false"),
        (vec!["loss=z", "ignore_index=1.5"], "ignore_index is 1.5, expected an integer"),
        (vec!["loss=z", "epsilom=1"], "no parameter epsilom; did you mean epsilon?"),
        (vec!["loss=z", "label_smoothing=0.1"], "no parameter label_smoothing"),
    ];
    for (set, line) in dense {
        let further: Vec<&str> = set.iter().flat_map(|text| ["--set", text]).collect();
        assert_wrong_use(&folder.run(DENSE, &further), &format!("{DENSE}: {line}"));
    }
    for (text, line) in [
        ("label_smoothing=1.5", "label_smoothing is 1.5, expected a number from 0 to 1"),
        ("lse_penalty=-1", "lse_penalty is -1, expected a number >= 0"),
        ("loss=z", "no parameter loss"),
    ] {
        assert_wrong_use(&folder.run(SOFTMAX, &["--set", text]), &format!("{SOFTMAX}: {line}"));
    }
    assert_wrong_use(&folder.run(DENSE, &["--set", "loss"]), "--set loss: expected name=value");
    assert_wrong_use(&folder.run(DENSE, &["--set", "loss=z", "--set", "loss=z"]), "--set loss: set twice");
    assert_eq!(folder.files(), ["in"]);
}

#[test]
fn an_unknown_operation_names_the_nearest() {
    let folder = Folder::new();
    let line = "spherical.dens: no such operation; did you mean spherical.dense?";
    assert_wrong_use(&folder.run("spherical.dens", &[]), line);
    assert_wrong_use(&oblate(folder.0.path(), &["report", "spherical.dens"]), line);
    let line = "sperical: no such operation or family; did you mean spherical?";
    assert_wrong_use(&oblate(folder.0.path(), &["validate", "sperical"]), line);
}

#[test]
fn a_file_that_is_not_whole_is_named() {
    let folder = Folder::new();
    fs::remove_file(folder.path("in")).unwrap();
    assert_wrong_use(&folder.run(DENSE, &Z), "in: No such file or directory (os error 2)");
    folder.input(|_| {});
    let whole = fs::read(folder.path("in")).unwrap();
    for (length, what) in [
        (0, "header too small"),
        (4, "header too small"),
        (20, "invalid header length"),
        (whole.len() - 1, "incomplete metadata, file not fully covered"),
    ] {
        fs::write(folder.path("in"), &whole[..length]).unwrap();
        assert_wrong_use(&folder.run(DENSE, &Z), &format!("in: not a whole safetensors file: {what}"));
    }
    assert_eq!(folder.files(), ["in"]);
}

#[test]
fn an_output_that_cannot_be_written_leaves_nothing() {
    let folder = Folder::new();
    let run = |output: &str| {
        let arguments = ["run", SOFTMAX, "--input", "in", "--output", output, "--device", "reference"];
        oblate(folder.0.path(), &arguments)
    };
    assert_wrong_use(&run("nowhere/out"), "nowhere/out: the folder nowhere does not exist");
    assert_wrong_use(&run("."), ".: not written: is a directory");
    assert_wrong_use(&run("/dev/full"), "/dev/full: not written: No space left on device (os error 28)");
    assert_eq!(folder.files(), ["in"]);
}

/// A disk that fills up in the middle, by the shell's limit on the size of files: one block of 512 or 1,024 bytes.
#[test]
fn a_disk_that_fills_up_leaves_what_was_there() {
    let folder = Folder::new();
    folder.input(|tensors| {
        tensors.insert("logits".to_owned(), Tensor::from_f64(Dtype::F32, [8, 500], &vec![0.5; 4000]));
    });
    fs::write(folder.path("out"), "before").unwrap();
    let script = r#"trap '' XFSZ; ulimit -f 1; exec "$0" run "$1" --input in --output out --device reference"#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_oblate"), SOFTMAX])
        .current_dir(&folder.0)
        .env_remove("OBLATE_DEVICE")
        .output()
        .unwrap();
    assert_wrong_use(&output, "out: not written: File too large (os error 27)");
    assert_eq!(folder.files(), ["in", "out"]);
    assert_eq!(fs::read(folder.path("out")).unwrap(), b"before");
}

#[test]
fn the_reference_writes_what_the_card_says() {
    let folder = Folder::new();
    let outputs = |operation: &str, further: &[&str]| {
        let output = folder.run(operation, further);
        assert_eq!(
            (stderr(&output), output.status.code()),
            (format!("{operation} ran on the f64 reference (CPU)\n"), Some(0))
        );
        let tensors = tensor_file::read(&folder.path("out")).unwrap();
        let line = |(name, tensor): (&String, &Tensor)| format!("{name} {} {:?}", tensor.dtype(), tensor.shape());
        tensors.iter().map(line).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(outputs(DENSE, &Z), "grad_logits F32 [8, 5]; loss F32 [8]");
    assert_eq!(outputs(DENSE, &["--set", "loss=z", "--f64"]), "grad_logits F64 [8, 5]; loss F64 [8]");
    assert_eq!(outputs(DENSE, &["--set", "loss=z", "--set", "need_grad=false"]), "loss F32 [8]");
    assert_eq!(outputs(DENSE, &["--set", "loss=z", "--set", "reduction=mean"]), "grad_logits F32 [8, 5]; loss F32 []");
    assert_eq!(outputs(SOFTMAX, &[]), "grad_logits F32 [8, 5]; loss F32 [8]; lse F32 [8]");
    assert_eq!(
        outputs(SOFTMAX, &["--set", "lse_penalty=0.1", "--set", "reduction=sum"]),
        "grad_logits F32 [8, 5]; loss F32 []; lse F32 [8]; penalty F32 []"
    );
    folder.input(|tensors| {
        tensors.insert("logits".to_owned(), Tensor::from_f64(Dtype::BF16, [0, 5], &[]));
        tensors.insert("targets".to_owned(), Tensor::from_i64([0], &[]));
    });
    assert_eq!(outputs(DENSE, &Z), "grad_logits BF16 [0, 5]; loss F32 [0]");
    assert_eq!(folder.files(), ["in", "out"]);
}

/// A head of 5 classes and a width of 3, in place of the logits.
fn head(tensors: &mut Tensors, dtype: Dtype) {
    tensors.remove("logits");
    let values = |count: u32| (0..count).map(|i| f64::from(i % 5) - 2.0).collect::<Vec<_>>();
    tensors.insert("hidden".to_owned(), Tensor::from_f64(dtype, [8, 3], &values(24)));
    tensors.insert("weight".to_owned(), Tensor::from_f64(dtype, [5, 3], &values(15)));
}

#[test]
fn the_reference_of_a_head_writes_what_the_card_says() {
    let folder = Folder::new();
    folder.input(|tensors| head(tensors, Dtype::F16));
    let outputs = |further: &[&str]| {
        let output = folder.run(LINEAR, further);
        let ran = format!("{LINEAR} ran on the f64 reference (CPU)\n");
        assert_eq!((stderr(&output), output.status.code()), (ran, Some(0)));
        let tensors = tensor_file::read(&folder.path("out")).unwrap();
        let line = |(name, tensor): (&String, &Tensor)| format!("{name} {} {:?}", tensor.dtype(), tensor.shape());
        tensors.iter().map(line).collect::<Vec<_>>().join("; ")
    };
    let losses = "loss F32 [8]; lse F32 [8]; target_logits F32 [8]";
    assert_eq!(outputs(&[]), format!("grad_hidden F16 [8, 3]; grad_weight F16 [5, 3]; {losses}"));
    let in_f32 = outputs(&["--set", "grad_weight_dtype=f32"]);
    assert_eq!(in_f32, format!("grad_hidden F16 [8, 3]; grad_weight F32 [5, 3]; {losses}"));
    assert_eq!(outputs(&["--set", "need_grad_weight=false"]), format!("grad_hidden F16 [8, 3]; {losses}"));
    assert_eq!(outputs(&["--set", "need_grad=false", "--set", "softcap=30"]), losses);
    folder.input(|tensors| {
        head(tensors, Dtype::BF16);
        tensors.insert("bias".to_owned(), Tensor::from_f64(Dtype::BF16, [5], &[0.0; 5]));
        tensors.insert("segments".to_owned(), Tensor::from_u32([4], &[0, 2, 2, 8]));
    });
    assert_eq!(
        outputs(&["--set", "reduction=mean", "--set", "lse_penalty=1e-4"]),
        "grad_bias BF16 [5]; grad_hidden BF16 [8, 3]; grad_weight BF16 [5, 3]; loss F32 []; lse F32 [8]; penalty F32 []; \
         segment_loss F32 [3]; target_logits F32 [8]"
    );
}

#[test]
fn every_wrong_tensor_of_a_head_gets_one_line() {
    fn segments(tensors: &mut Tensors, bounds: &[u32]) {
        tensors.insert("segments".to_owned(), Tensor::from_u32([bounds.len()], bounds));
    }
    fn floats(dtype: Dtype, shape: &[usize]) -> Tensor {
        Tensor::from_f64(dtype, shape, &vec![1.0; shape.iter().product()])
    }
    let wrong: [WrongTensor; 8] = [
        (|t| drop(t.remove("weight")), "weight is missing, expected f32 [D, d] = [D, 3]"),
        (
            |t| drop(t.insert("weight".to_owned(), floats(Dtype::F32, &[5, 4]))),
            "weight has shape [5, 4], expected [D, d] = [D, 3]",
        ),
        (|t| drop(t.insert("weight".to_owned(), floats(Dtype::F16, &[5, 3]))), "weight is f16, expected f32"),
        (|t| drop(t.insert("bias".to_owned(), floats(Dtype::F32, &[4]))), "bias has shape [4], expected [D] = [5]"),
        (|t| segments(t, &[]), "segments has shape [0], expected [S+1]"),
        (|t| segments(t, &[0, 4, 3]), "segments[2] is 3, expected at least segments[1] and at most 8 (rows)"),
        (|t| segments(t, &[9]), "segments[0] is 9, expected at most 8 (rows)"),
        (|t| drop(t.insert("segments".to_owned(), Tensor::from_i64([1], &[0]))), "segments is i64, expected u32"),
    ];
    for (change, line) in wrong {
        let folder = Folder::new();
        folder.input(|tensors| {
            head(tensors, Dtype::F32);
            change(tensors);
        });
        assert_wrong_use(&folder.run(LINEAR, &[]), &format!("{LINEAR}: {line}"));
        assert_eq!(folder.files(), ["in"], "{line}");
    }
}

#[test]
fn an_extra_tensor_passes_when_it_may() {
    let folder = Folder::new();
    folder.input(|tensors| drop(tensors.insert("zzz".to_owned(), Tensor::from_i64([1], &[0]))));
    assert_wrong_use(&folder.run(SOFTMAX, &[]), &format!("{SOFTMAX}: no tensor zzz"));
    assert_eq!(folder.run(SOFTMAX, &["--allow-extra"]).status.code(), Some(0));
}

#[test]
fn values_come_out_right() {
    let folder = Folder::new();
    folder.input(|tensors| {
        tensors.insert("logits".to_owned(), Tensor::from_f64(Dtype::F32, [1, 2], &[0.0, 0.0]));
        tensors.insert("targets".to_owned(), Tensor::from_i64([1], &[1]));
    });
    assert_eq!(folder.run(SOFTMAX, &["--f64"]).status.code(), Some(0));
    let outputs = tensor_file::read(&folder.path("out")).unwrap();
    assert!((outputs["loss"].at(0) - std::f64::consts::LN_2).abs() < 1e-15);
    assert_eq!(outputs["grad_logits"].to_f64(), [0.5, -0.5]);
}

#[test]
fn list_is_the_cards() {
    let folder = Folder::new();
    let output = oblate(folder.0.path(), &["list", "--json"]);
    let cards: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = cards.as_array().unwrap().iter().map(|card| card["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            DENSE,
            SOFTMAX,
            LINEAR,
            "spherical.linear",
            "spherical.factored",
            "spherical.rank",
            "spherical.hierarchical_softmax"
        ]
    );
    assert_eq!(cards[0]["tensors"][0]["dtypes"], serde_json::json!(["f32", "f16", "bf16"]));
    let tensors = cards[2]["tensors"].as_array().unwrap();
    let tensor = |name: &str| tensors.iter().find(|tensor| tensor["name"] == name).unwrap();
    assert_eq!(tensor("segments")["shapes"], serde_json::json!(["[S+1]"]));
    assert_eq!(tensor("segment_loss")["present"], "when segments is given");
    assert_eq!(tensor("grad_weight")["unless"], "f32 with grad_weight_dtype=f32");
    assert_eq!(tensor("grad_weight")["present"], "with need_grad=true and with need_grad_weight=true");
    let text = String::from_utf8(oblate(folder.0.path(), &["list"]).stdout).unwrap();
    for word in [DENSE, SOFTMAX, LINEAR, "grad_logits", "[B, D]", "label_smoothing", "a number from 0 to 1"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

#[test]
fn the_reference_is_not_validated_against_itself() {
    let folder = Folder::new();
    let output = oblate(folder.0.path(), &["validate", "--device", "reference"]);
    assert_wrong_use(&output, "validate compares with the reference, expected --device auto, gpu or software");
}

#[test]
fn wrong_words_are_told_by_the_usage() {
    let folder = Folder::new();
    for arguments in [&["frobnicate"][..], &["run"], &["list", "--jsn"], &["validate", "--device", "tpu"], &["report"]]
    {
        assert_eq!(oblate(folder.0.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}
