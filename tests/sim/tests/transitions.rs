//! The committed transition table is the engine's behaviour.

use vrrp_sim::transitions;

#[test]
fn the_transition_table_is_the_committed_one() {
    let committed = include_str!("../transitions.txt");
    for (now, before) in transitions::table().lines().zip(committed.lines()) {
        assert_eq!(
            now, before,
            "run `cargo xtask transitions` and read the change"
        );
    }
    assert_eq!(transitions::table(), committed);
}

#[test]
fn the_state_diagram_is_the_committed_one() {
    assert_eq!(
        transitions::diagram(),
        include_str!("../../../core/STATES.md")
    );
}
