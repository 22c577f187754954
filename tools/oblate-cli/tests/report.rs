//! `oblate report`: its model against numbers by hand, its text against what is committed, and its wrong uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use oblate_cli::report::cards::{CATALOGUE, named};
use oblate_cli::report::limits::Limits;
use oblate_cli::report::{Report, compared, overview, table};
use serde_json::Value;

/// A folder of the workspace.
fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Counts as a call of a matmul with row sums could have them, made up so that each resource has something to do.
fn example() -> Report {
    Report::read(&workspace("tools/oblate-cli/tests/report/row_sums.json")).unwrap()
}

/// The cards that a test asks for.
fn cards(names: &[&str]) -> Vec<&'static oblate_cli::report::cards::Card> {
    named(&names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

#[test]
fn limits_by_hand() {
    let report = example();
    for (card, terms, chain, uncached) in [
        (
            "A100",
            // 108 multiprocessors x 1410 MHz = 1.5228e11 clocks a second.
            [
                ("memory", (524_288.0 + 256.0) * 32.0 / 2039e9),
                ("tensor", 1000.0 * 4096.0 / 312e12 + 1000.0 * 16_384.0 / 1248e12),
                ("f32", 8_388_608.0 / (64.0 * 1.5228e11)),
                ("integer", 2_097_152.0 / (64.0 * 1.5228e11)),
                ("shared", 16_384.0 / 1.5228e11),
                ("issue", 363_496.0 / (4.0 * 1.5228e11)),
            ],
            1.0 + 5.0 * 30.0 / 1410.0,
            16_842_752.0 / 2039e9,
        ),
        (
            "H100",
            // 132 x 1980 MHz = 2.6136e11; mma.sync reaches 62 % of the tensor cores' peak, and for s4 none is published.
            [
                ("memory", (524_288.0 + 256.0) * 32.0 / 3350e9),
                ("tensor", 1000.0 * 4096.0 / (0.62 * 989.4e12)),
                ("f32", 8_388_608.0 / (128.0 * 2.6136e11)),
                ("integer", 2_097_152.0 / (64.0 * 2.6136e11)),
                ("shared", 16_384.0 / 2.6136e11),
                ("issue", 363_496.0 / (4.0 * 2.6136e11)),
            ],
            1.0 + 5.0 * 30.0 / 1980.0,
            16_842_752.0 / 3350e9,
        ),
    ] {
        let got = Limits::of(&report.total(), cards(&[card])[0]);
        let near = |got: f64, expected: f64| (got / expected - 1.0).abs() < 1e-12;
        assert_eq!(got.terms.len(), terms.len(), "{card}");
        for (term, (resource, seconds)) in got.terms.iter().zip(terms) {
            assert_eq!(term.resource, resource);
            assert!(near(term.microseconds, seconds * 1e6), "{card}: {term:?}, expected {seconds} s");
        }
        assert!(near(got.chain.microseconds, chain), "{card}: {:?}", got.chain);
        assert!(near(got.uncached.microseconds, uncached * 1e6), "{card}: {:?}", got.uncached);
        assert_eq!(got.limit(false).unwrap().resource, "memory");
        assert_eq!(got.limit(true).unwrap().resource, "memory");
        assert_eq!(got.without_peak, if card == "A100" { vec![] } else { vec!["s4"] });
    }
}

#[test]
fn a_small_call_is_bound_by_its_chain() {
    let mut report = example();
    let traffic = &mut report.launches[0].counters;
    traffic.global_loads.distinct_sectors = 1;
    let got = Limits::of(&report.total(), cards(&["A100"])[0]);
    assert_eq!((got.limit(false).unwrap().resource, got.limit(true).unwrap().resource), ("f32", "chain"));
}

#[test]
fn the_text_of_a_report() {
    let text = table(&example(), &[], &cards(&["A100", "H100"]));
    let path = workspace("tools/oblate-cli/tests/report/row_sums.txt");
    assert_eq!(text, fs::read_to_string(&path).unwrap(), "{}", path.display());
}

#[test]
fn two_reports_side_by_side() {
    let (first, mut second) = (example(), example());
    second.launches[0].counters.shared.conflicts = 3;
    second.launches[0].counters.global_stores.distinct_sectors *= 2;
    second.launches[0].counters.tensor.clear();
    let text = compared(&first, &second, &cards(&["A100"]));
    let row = |name: &str| {
        let line = text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name} is not in\n{text}"));
        line.split(['│', '┆']).map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("shared memory: bank conflicts"), ["shared memory: bank conflicts", "0", "3"]);
    assert_eq!(row("shared memory: wavefronts")[1..], ["16,384", "16,384", "1.000"]);
    assert_eq!(row("tensor cores: m16n8k16.bf16")[1..], ["1,000"]);
    assert_eq!(row("A100: memory, us")[1..], ["8.232", "8.236", "1.000"]);
    assert!(text.starts_with("A: example.row_sums classes=4096 dtype=f32 rows=1024\nB: example.row_sums"));
}

/// `cargo oblate report --all > reports/limits.txt` writes it anew.
#[test]
fn reports_limits_is_what_the_model_says_of_the_committed_counts() {
    let counts: Vec<Report> = serde_json::from_slice(&fs::read(workspace("reports/counts.json")).unwrap()).unwrap();
    let text = overview(&counts, &CATALOGUE.cards.iter().collect::<Vec<_>>());
    assert_eq!(text, fs::read_to_string(workspace("reports/limits.txt")).unwrap());
}

fn oblate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_oblate")).args(arguments).current_dir(folder).output().unwrap()
}

const SMALL: [&str; 8] = ["report", "spherical.dense", "--set", "rows=2", "--set", "classes=10", "--set", "dtype=f32"];

#[test]
fn every_wrong_use_gets_one_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.json"), "[]").unwrap();
    let report = workspace("tools/oblate-cli/tests/report/row_sums.json");
    fs::copy(report, folder.path().join("a.json")).unwrap();
    let dense = "spherical.dense";
    for (arguments, line) in [
        (vec![dense, "--card", "V100"], "no card V100, expected A100, H100, H200, RTX 4090, B200 or RTX 5090"),
        (vec!["spherical.dens"], "spherical.dens: no such operation; did you mean spherical.dense?"),
        (
            vec![dense, "--compare", "spherical.softmax_entropy"],
            "spherical.softmax_entropy: no such operation; did you mean spherical.softmax_cross_entropy?",
        ),
        (vec![dense, "--set", "rows"], "--set rows: expected name=value"),
        (vec![dense, "--set", "rows=-1"], "spherical.dense: rows is -1, expected an integer from 0 to 2147483647"),
        (vec![dense, "--set", "dtype=f64"], "spherical.dense: dtype is f64, expected f32, f16 or bf16"),
        (vec![dense, "--set", "colour=red"], "spherical.dense: no parameter colour"),
        (vec!["a.json", "--set", "rows=1"], "--set: both reports are files, expected an operation to set it for"),
        (vec!["no.json"], "no.json: No such file or directory (os error 2)"),
        (
            vec!["list.json"],
            "list.json: expected one report, as oblate report OPERATION --json writes it: invalid length 0, expected \
             struct Report with 6 elements at line 1 column 2",
        ),
        (
            vec!["a.json", "--card", "A100", "--plot", "nowhere/a.svg"],
            "nowhere/a.svg: the folder nowhere does not exist",
        ),
        (
            vec!["a.json", "--card", "A100", "--plot", "/dev/full"],
            "/dev/full: not written: No space left on device (os error 28)",
        ),
        (
            vec!["a.json", "--card", "A100", "--card", "H100", "--plot", "a.svg"],
            "--plot: a plot is of one card, expected --card once",
        ),
    ] {
        let output = oblate(folder.path(), &[&["report"], arguments.as_slice()].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((stderr, output.status.code()), (format!("oblate: {line}\n"), Some(2)), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let mut files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["a.json", "list.json"], "nothing was written");
}

/// Saved, read again, compared with another operation, and drawn.
#[test]
fn a_report_from_file_to_file() {
    let folder = tempfile::tempdir().unwrap();
    let saved = oblate(folder.path(), &[&SMALL[..], &["--json", "--card", "h100"]].concat());
    assert_eq!(saved.status.code(), Some(0), "{}", String::from_utf8_lossy(&saved.stderr));
    let page: Value = serde_json::from_slice(&saved.stdout).unwrap();
    assert_eq!(page["modelled"][0]["card"], "H100");
    assert_eq!(page["launches"][0]["counters"]["launches"], 1);
    assert_eq!(page["compiled"][0]["architecture"], "sm_80");
    assert!(page["compiled"][0]["occupancy"]["warps"].as_u64().unwrap() > 0);
    fs::write(folder.path().join("a.json"), &saved.stdout).unwrap();
    let arguments = ["a.json", "--compare", "spherical.softmax_cross_entropy", "--set", "rows=2", "--card", "A100"];
    let compared = oblate(folder.path(), &[&["report"], &arguments[..], &["--plot", "a.svg"]].concat());
    assert_eq!(compared.status.code(), Some(0), "{}", String::from_utf8_lossy(&compared.stderr));
    let text = String::from_utf8(compared.stdout).unwrap();
    assert!(text.contains("B: spherical.softmax_cross_entropy") && text.contains("A100: modelled limit, us"), "{text}");
    let svg = fs::read_to_string(folder.path().join("a.svg")).unwrap();
    for word in ["<svg", "A100 (SXM4 80 GB): modelled, no measurement", "spherical.dense classes=10", "19.5 T"] {
        assert!(svg.contains(word), "{word} is not in the plot");
    }
}
