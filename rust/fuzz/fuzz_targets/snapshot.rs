//! What Python hands over: whatever it is, it is taken or refused with a message that says where.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::directory::Directory;
use llm_edge_core::snapshot::Snapshot;

fuzz_target!(|bytes: &[u8]| {
    match Snapshot::parse(bytes) {
        Ok(snapshot) => {
            // What the engine relies on without looking again.
            for route in &snapshot.routes {
                assert!(!route.targets.is_empty());
                assert!(route.targets.iter().all(|target| target.provider < snapshot.providers.len()));
            }
            assert!(snapshot.limits.head_ms > 0 && snapshot.limits.connections_max > 0);
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
    if let Ok(directory) = Directory::parse(bytes) {
        assert!(directory.len() <= bytes.len());
    }
});
