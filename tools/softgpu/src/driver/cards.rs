//! Cards whose limits the device takes on: those of their compute capability, by the CUDA C++ Programming Guide's
//! "Technical Specifications per Compute Capability", and what NVIDIA's data sheets say of each.

use super::attributes::Limits;
use crate::settings::Capability;

/// A card.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) name: &'static str,
    pub(crate) capability: Capability,
    /// What a compute capability beside it has to be.
    pub(crate) expects: &'static str,
    pub(crate) limits: Limits,
}

const A100_LIMITS: Limits = Limits {
    multiprocessors: 108,
    threads_per_multiprocessor: 2048,
    blocks_per_multiprocessor: 32,
    shared_per_multiprocessor: 164 << 10,
    shared_per_block_optin: 163 << 10,
    l2_bytes: 40 << 20,
    clock_khz: 1_410_000,
    memory_clock_khz: 1_215_000,
    memory_bus_bits: 5120,
    single_to_double: 2,
};

const A10_LIMITS: Limits = Limits {
    multiprocessors: 72,
    threads_per_multiprocessor: 1536,
    blocks_per_multiprocessor: 16,
    shared_per_multiprocessor: 100 << 10,
    shared_per_block_optin: 99 << 10,
    l2_bytes: 6 << 20,
    clock_khz: 1_695_000,
    memory_clock_khz: 6_251_000,
    memory_bus_bits: 384,
    single_to_double: 64,
};

const L4_LIMITS: Limits = Limits {
    multiprocessors: 58,
    blocks_per_multiprocessor: 24,
    l2_bytes: 48 << 20,
    clock_khz: 2_040_000,
    memory_bus_bits: 192,
    ..A10_LIMITS
};

const H100_LIMITS: Limits = Limits {
    multiprocessors: 132,
    shared_per_multiprocessor: 228 << 10,
    shared_per_block_optin: 227 << 10,
    l2_bytes: 50 << 20,
    clock_khz: 1_980_000,
    memory_clock_khz: 2_619_000,
    ..A100_LIMITS
};

const RTX_3090_LIMITS: Limits = Limits { multiprocessors: 82, memory_clock_khz: 9_751_000, ..A10_LIMITS };

const RTX_4090_LIMITS: Limits = Limits {
    multiprocessors: 128,
    l2_bytes: 72 << 20,
    clock_khz: 2_520_000,
    memory_clock_khz: 10_501_000,
    memory_bus_bits: 384,
    ..L4_LIMITS
};

const H200_LIMITS: Limits = Limits { memory_clock_khz: 3_201_000, memory_bus_bits: 6144, ..H100_LIMITS };

const fn card(name: &'static str, [major, minor]: [u32; 2], expects: &'static str, limits: Limits) -> Card {
    Card { name, capability: Capability { major, minor }, expects, limits }
}

/// Of a capability's cards, the first stands for it.
static CARDS: [Card; 7] = [
    card("a100", [8, 0], "8.0, as of the card", A100_LIMITS),
    card("a10", [8, 6], "8.6, as of the card", A10_LIMITS),
    card("rtx3090", [8, 6], "8.6, as of the card", RTX_3090_LIMITS),
    card("l4", [8, 9], "8.9, as of the card", L4_LIMITS),
    card("rtx4090", [8, 9], "8.9, as of the card", RTX_4090_LIMITS),
    card("h100", [9, 0], "9.0, as of the card", H100_LIMITS),
    card("h200", [9, 0], "9.0, as of the card", H200_LIMITS),
];

/// Their names, for who gives another.
pub(crate) const NAMES: &str = "a100, a10, rtx3090, l4, rtx4090, h100 or h200";

pub(crate) fn named(name: &str) -> Option<&'static Card> {
    CARDS.iter().find(|card| card.name == name)
}

/// The card that stands for a capability.
pub(crate) fn of(capability: Capability) -> &'static Card {
    CARDS.iter().find(|card| card.capability == capability).unwrap_or(&CARDS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_cards() {
        let names = NAMES.replace(" or ", ", ");
        let names: Vec<&str> = names.split(", ").collect();
        assert_eq!(names, CARDS.iter().map(|card| card.name).collect::<Vec<_>>());
        assert!(names.iter().all(|name| named(name).is_some()));
        assert_eq!(of(Capability { major: 9, minor: 0 }).name, "h100");
    }
}
