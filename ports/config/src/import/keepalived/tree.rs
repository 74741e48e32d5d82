//! Statements and their blocks, from lines.

use std::cell::Cell;

use super::lines::Line;
use super::words;
use crate::diagnostic::found;
use crate::import::report::{At, Report};

/// The deepest block that is looked at.
const MAX_DEPTH: usize = 12;

/// A line with its words, and the block that belongs to it.
#[derive(Debug, Default)]
pub(super) struct Statement {
    pub(super) at: At,
    /// The line as a whole.
    pub(super) text: String,
    /// Its words; the first is the keyword.
    pub(super) words: Vec<String>,
    /// The block in braces. `None`: there is none.
    pub(super) block: Option<Vec<Statement>>,
    /// Whether it was carried over, or something was said about it.
    done: Cell<bool>,
}

impl Statement {
    /// The keyword.
    pub(super) fn keyword(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// A word after the keyword, from 1. Empty when there is none.
    pub(super) fn word(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }

    /// The statements of the block.
    pub(super) fn inner(&self) -> &[Statement] {
        self.block.as_deref().unwrap_or_default()
    }

    /// Notes that this line is accounted for. Returns whether it was before.
    pub(super) fn settle(&self) -> bool {
        self.done.replace(true)
    }

    /// Notes that this line and its block are accounted for.
    pub(super) fn settle_all(&self) {
        self.settle();
        self.inner().iter().for_each(Statement::settle_all);
    }

    /// Calls `act` for each line that is not accounted for.
    pub(super) fn each_left(&self, act: &mut dyn FnMut(&Statement)) {
        if !self.done.get() {
            act(self);
        }
        for inner in self.inner() {
            inner.each_left(act);
        }
    }
}

/// Joins lines to statements. Braces that fit nothing are errors.
pub(super) fn statements(lines: Vec<Line>, report: &mut Report) -> Vec<Statement> {
    // The statements of each open block; the last statement of the one before is its owner.
    let mut open: Vec<Vec<Statement>> = vec![Vec::new()];
    let mut too_deep = 0_usize;
    for line in lines {
        match line.text.as_str() {
            "{" if too_deep > 0 || open.len() > MAX_DEPTH => {
                if too_deep == 0 {
                    let text = format!(
                        "expected blocks in blocks at most {MAX_DEPTH} deep; its lines are not looked at"
                    );
                    report.lost(line.at, text);
                }
                too_deep += 1;
            }
            "}" if too_deep > 0 => too_deep -= 1,
            _ if too_deep > 0 => {}
            "{" => {
                let here = open.last_mut();
                let Some(here) = here else { continue };
                let owned = here.last().is_some_and(|s| s.block.is_none());
                if !owned {
                    report.error(line.at, "`{` follows no keyword, keepalived passes over it");
                    let anonymous = Statement {
                        at: line.at,
                        ..Statement::default()
                    };
                    anonymous.settle();
                    here.push(anonymous);
                }
                open.push(Vec::new());
            }
            "}" => {
                if open.len() < 2 {
                    report.error(line.at, "`}` ends no block, keepalived passes over it");
                    continue;
                }
                close(&mut open);
            }
            _ => {
                let words = words::split(&line.text);
                if let Some(here) = open.last_mut().filter(|_| !words.is_empty()) {
                    here.push(Statement {
                        at: line.at,
                        text: line.text,
                        words,
                        ..Statement::default()
                    });
                }
            }
        }
    }
    while open.len() > 1 {
        let owner = open.iter().rev().nth(1).and_then(|here| here.last());
        if let Some(owner) = owner {
            let text = format!(
                "the block of {} is not closed with `}}`",
                found(owner.keyword())
            );
            report.error(owner.at, text);
        }
        close(&mut open);
    }
    open.pop().unwrap_or_default()
}

/// Gives the innermost block to its owner.
fn close(open: &mut Vec<Vec<Statement>>) {
    let block = open.pop().unwrap_or_default();
    let owner = open.last_mut().and_then(|here| here.last_mut());
    if let Some(owner) = owner {
        owner.block = Some(block);
    }
}
