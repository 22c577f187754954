//! Cards and architectures by their published figures. They all stand in `cards.json`, each with its source.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::{Error, Result};

/// A published number, and under what name `cards.json` has its source.
#[derive(Clone, Debug, Deserialize)]
pub struct Figure(pub f64, pub String);

/// What a multiprocessor holds, and does in a clock.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiprocessor {
    /// Warps that are resident at once.
    pub warps: Figure,
    /// Blocks that are resident at once.
    pub blocks: Figure,
    /// 32-bit registers.
    pub registers: Figure,
    /// Shared memory.
    pub shared_bytes: Figure,
    /// Of it, what one block may have.
    pub shared_bytes_of_block: Figure,
    /// Warp instructions issued in a clock.
    pub schedulers: Figure,
    /// Wavefronts of shared memory in a clock.
    pub wavefronts: Figure,
    /// Lanes of f32 arithmetic in a clock.
    pub f32: Figure,
    /// Results of f16 arithmetic in a clock, a fused operation being one.
    pub f16: Figure,
    /// Of bf16.
    pub bf16: Figure,
    /// Of f64.
    pub f64: Figure,
    /// Lanes of 32-bit integer arithmetic in a clock.
    pub integer: Figure,
    /// Lanes of the special functions in a clock.
    pub special: Figure,
}

/// A card.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What `--card` calls it.
    pub name: String,
    /// Which of that name.
    pub model: String,
    /// Its compute capability, `9.0`.
    pub capability: String,
    /// Multiprocessors.
    pub multiprocessors: Figure,
    /// The highest clock that NVIDIA names.
    pub clock_mhz: Figure,
    /// Bandwidth of device memory in 10⁹ bytes a second.
    pub memory_gbs: Figure,
    /// Peaks of the tensor cores by the type of the factors, dense, in 10¹² operations a second.
    pub tensor_tflops: BTreeMap<String, Figure>,
    /// The part of these that mma.sync reaches.
    pub mma_sync: Figure,
}

impl Card {
    /// What its multiprocessors hold and do.
    pub fn multiprocessor(&self) -> &'static Multiprocessor {
        &CATALOGUE.architectures[&self.capability]
    }

    /// Clocks of all multiprocessors in a second.
    pub fn clocks(&self) -> f64 {
        self.multiprocessors.0 * self.clock_mhz.0 * 1e6
    }
}

/// What a step of the dependent chain takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latencies {
    /// From the end of a kernel to the first instruction of the next.
    pub launch_us: Figure,
    /// From the last arrival at a block's barrier to the next instruction.
    pub block_barrier_clocks: Figure,
}

/// All of `cards.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// What the names of sources stand for.
    pub sources: BTreeMap<String, String>,
    /// Steps of the dependent chain.
    pub latencies: Latencies,
    /// By compute capability.
    pub architectures: BTreeMap<String, Multiprocessor>,
    /// In the order in which reports have them.
    pub cards: Vec<Card>,
}

/// The published figures.
pub static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| serde_json::from_str(include_str!("cards.json")).expect("a test reads cards.json"));

/// The cards that `--card` names; all without it.
///
/// # Errors
/// `NoCard` for a name that is none.
pub fn named(names: &[String]) -> Result<Vec<&'static Card>> {
    if names.is_empty() {
        return Ok(CATALOGUE.cards.iter().collect());
    }
    let plain = |name: &str| name.to_lowercase().replace([' ', '-', '_'], "");
    let find = |name: &String| {
        let found = CATALOGUE.cards.iter().find(|card| plain(&card.name) == plain(name));
        found.ok_or_else(|| Error::NoCard { name: name.clone() })
    };
    names.iter().map(find).collect()
}

/// The architecture of a cubin, `sm_90a`; none when it is not in the catalogue.
pub fn architecture(name: &str) -> Option<&'static Multiprocessor> {
    let number = name.strip_prefix("sm_")?.trim_end_matches(['a', 'f']);
    let (major, minor) = number.split_at_checked(number.len().checked_sub(1)?)?;
    CATALOGUE.architectures.get(&format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_source() {
        let text: serde_json::Value = serde_json::from_str(include_str!("cards.json")).unwrap();
        let mut used = std::collections::BTreeSet::new();
        let mut waiting = vec![&text];
        while let Some(value) = waiting.pop() {
            match value {
                serde_json::Value::Object(fields) => waiting.extend(fields.values()),
                serde_json::Value::Array(items) => match items.as_slice() {
                    [serde_json::Value::Number(_), serde_json::Value::String(source)] => {
                        assert!(CATALOGUE.sources.contains_key(source), "{source}");
                        used.insert(source.clone());
                    }
                    _ => waiting.extend(items),
                },
                serde_json::Value::Number(number) => panic!("{number} has no source"),
                _ => {}
            }
        }
        assert!(CATALOGUE.sources.keys().all(|source| used.contains(source)), "a source of nothing");
    }

    #[test]
    fn peaks_agree_with_clocks_and_lanes() {
        // The f32 peaks of the same datasheets, in TFLOPS: two for each lane and clock.
        for (name, peak) in
            [("A100", 19.5), ("H100", 66.9), ("H200", 66.9), ("RTX 4090", 82.6), ("B200", 75.0), ("RTX 5090", 104.8)]
        {
            let card = named(&[name.to_owned()]).unwrap()[0];
            let from_lanes = 2.0 * card.multiprocessor().f32.0 * card.clocks() / 1e12;
            assert!((from_lanes / peak - 1.0).abs() < 0.01, "{name}: {from_lanes}");
        }
    }

    #[test]
    fn names() {
        let found: Vec<&str> =
            named(&["a100".into(), "rtx-4090".into()]).unwrap().iter().map(|card| card.name.as_str()).collect();
        assert_eq!(found, ["A100", "RTX 4090"]);
        let line = "no card V100, expected A100, H100, H200, RTX 4090, B200 or RTX 5090";
        assert_eq!(named(&["V100".into()]).unwrap_err().to_string(), line);
        assert_eq!(architecture("sm_90a").unwrap().f64.0, 64.0);
        assert_eq!(architecture("sm_120").unwrap().warps.0, 48.0);
        assert!(architecture("sm_75").is_none() && architecture("compute_80").is_none());
    }
}
