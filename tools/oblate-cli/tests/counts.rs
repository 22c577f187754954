//! reports/counts.json is what the software device counts, exactly; and the counts are what the kernels were designed for.

#![allow(clippy::cast_precision_loss, reason = "counts of one call are far below 2^53")]

use std::fs;
use std::path::Path;

use oblate_cli::arguments::Choice;
use oblate_cli::place::Session;
use oblate_cli::report::{Report, SHAPES};

/// One test, since the counts are taken once for both questions.
#[test]
fn counts() {
    let session = Session::open(Choice::Software).unwrap();
    let measured: Vec<Report> =
        SHAPES.iter().map(|shape| Report::measure(&session, shape.operation, shape.set).unwrap()).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/counts.json");
    let committed: Vec<Report> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for (measured, committed) in measured.iter().zip(&committed) {
        assert_eq!(measured, committed, "{} {:?}", measured.operation, measured.set);
    }
    let rewrite = "`oblate report --all --json > reports/counts.json` writes it anew";
    assert_eq!(measured.len(), committed.len(), "reports/counts.json has other shapes; {rewrite}");
    limits(&measured);
}

/// Rows that begin between two vectors cost next to nothing: 1.02 times the bytes and 1.6 times the instructions. A row
/// that fits on chip is read once; one that does not, twice, beside the one write of its gradient. Short rows share what
/// a warp reads and issues: a row of 10 classes costs 40 instructions or fewer.
fn limits(reports: &[Report]) {
    let with = |operation: &str, rows: &str, classes: &str| {
        let is = |report: &&Report| {
            report.operation == operation && report.set["rows"] == rows && report.set["classes"] == classes
        };
        reports.iter().find(is).unwrap()
    };
    let moved = |report: &Report| report.moved_bytes as f64 / report.compulsory_bytes as f64;
    for operation in ["spherical.dense", "spherical.softmax_cross_entropy"] {
        let (odd, even) = (with(operation, "64", "50257"), with(operation, "64", "50256"));
        let bytes = odd.moved_bytes as f64 / even.moved_bytes as f64;
        let instructions = odd.total().instructions() as f64 / even.total().instructions() as f64;
        assert!(bytes <= 1.02, "{operation}: {bytes} times the bytes");
        assert!(instructions <= 1.6, "{operation}: {instructions} times the instructions");
        let ten = with(operation, "4096", "10");
        let of_a_row = ten.total().instructions() as f64 / 4096.0;
        assert!(of_a_row <= 40.0, "{operation}: {of_a_row} instructions for a row of 10 classes");
        for (rows, classes, limit) in [
            ("4096", "10", 1.01),
            ("1024", "33", 1.01),
            ("1024", "128", 1.02),
            ("1024", "257", 1.01),
            ("1024", "1000", 1.04),
            ("512", "30522", 1.02),
            ("64", "131072", 1.02 * 1.5),
            ("512", "50257", 1.02 * 1.5),
        ] {
            let moved = moved(with(operation, rows, classes));
            assert!(moved <= limit, "{operation}: {moved} of the compulsory bytes at {rows} x {classes}");
        }
    }
    // Several targets a row are read once.
    for report in reports.iter().filter(|report| report.set.contains_key("targets_per_row")) {
        let limit = if report.launches.len() == 1 { 1.02 } else { 1.02 * 1.5 };
        let moved = moved(report);
        assert!(moved <= limit, "{:?}: {moved} of the compulsory bytes", report.set);
    }
}
