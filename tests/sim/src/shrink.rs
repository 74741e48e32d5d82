//! Finding out which operations of a story matter.

use crate::plan::Plan;
use crate::port::Violation;
use crate::world;

/// Leaves operations out as long as the same rule is still broken. Gives the places of those that
/// are left in the plan's list.
pub fn shrink(plan: &Plan, found: &Violation) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..plan.ops.len()).collect();
    let mut size = kept.len().div_ceil(2);
    loop {
        let mut at = 0;
        let mut smaller = false;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + size).min(kept.len()));
            match still_broken(plan, &fewer, found) {
                true => {
                    kept = fewer;
                    smaller = true;
                }
                false => at += size,
            }
        }
        if size == 1 && !smaller {
            return kept;
        }
        size = size.div_ceil(2).max(1);
    }
}

/// The plan with the operations at these places only.
pub fn only(plan: &Plan, kept: &[usize]) -> Plan {
    let ops = kept.iter().filter_map(|at| plan.ops.get(*at).cloned());
    plan.with_ops(ops.collect())
}

fn still_broken(plan: &Plan, kept: &[usize], found: &Violation) -> bool {
    let again = world::run(&only(plan, kept));
    again.is_err_and(|(_, violation)| violation.rule == found.rule)
}
