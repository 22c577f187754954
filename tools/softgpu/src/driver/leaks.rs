//! What a context still holds as it ends: findings, each with the call that made it.

use super::Call;
use super::context::Context;
use super::event::Event;
use super::graph::{Graph, GraphExec};
use super::handle::Registered;
use super::host_memory;
use super::module::Module;
use super::stream::Stream;
use crate::inspect::finding::{Finding, FindingKind};
use crate::record;

/// Tells the recorder what is left. A context whose kernel failed could free nothing: nothing is said of it then.
pub(crate) fn tell(context: &Context) {
    if context.sound().is_err() {
        return;
    }
    let mut leaks = Vec::new();
    let mut leak = |object: String, bytes, made_by: Call| leaks.push((object, bytes, made_by));
    for (address, call) in context.allocations.all() {
        if let Some(place) = context.memory.place(address) {
            leak(place.name, Some(place.bytes), call);
        }
    }
    for (bytes, call) in host_memory::of_context(context.handle) {
        leak(format!("host memory ({bytes} bytes)"), Some(bytes as u64), call);
    }
    let handle = context.handle;
    for (kind, calls) in [
        ("a module", Module::registry().collect(|module| (module.context == handle).then_some(module.made_by))),
        ("a stream", Stream::registry().collect(|stream| (stream.context == handle).then_some(stream.made_by))),
        ("an event", Event::registry().collect(|event| (event.context == handle).then_some(event.made_by))),
        ("a graph", Graph::registry().collect(|graph| graph.leaked(handle))),
        ("an instantiated graph", GraphExec::registry().collect(|exec| exec.leaked(handle))),
    ] {
        for call in calls {
            leak(kind.to_owned(), None, call);
        }
    }
    record::found(leaks.into_iter().map(|(object, bytes, call)| {
        let Call { name, number, .. } = call;
        Finding::of_no_kernel(FindingKind::Leak { object, bytes, made_by: name.to_owned(), call: number })
    }));
}
