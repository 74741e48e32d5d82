//! Long answers, made and sent piece by piece: the protocol has its turn between two of them.

use std::fmt;

use serde::Serialize;

use vrrp_control::Answer;

/// Octets after which a piece is complete. To make one takes a fraction of a millisecond.
pub const PIECE: usize = 16 * 1024;

/// The answer to a request.
#[derive(Debug)]
pub enum Reply {
    /// A short one.
    Whole(Answer),
    /// A long one.
    InPieces(Pieces),
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Whole(answer)
    }
}

/// A line that is made piece by piece.
pub struct Pieces(Box<dyn FnMut() -> Piece + Send>);

/// A piece of a line.
pub(super) struct Piece {
    pub(super) octets: Vec<u8>,
    /// Nothing comes after it.
    pub(super) is_last: bool,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").finish_non_exhaustive()
    }
}

impl Pieces {
    /// Makes the next piece.
    pub(super) fn next(&mut self) -> Piece {
        (self.0)()
    }

    /// Fills the empty list of `answer` that `list` names with `rows`, as `write` has them. `list` is
    /// what precedes the entries of the list: `"virtual_routers":[`.
    pub fn of_list<R: Send + 'static, T: Serialize>(
        answer: &Answer,
        list: &str,
        rows: Vec<R>,
        mut write: impl FnMut(&R) -> T + Send + 'static,
    ) -> Reply {
        // Our own types always have a JSON form, in which a quotation mark within a text is escaped.
        let whole = serde_json::to_string(answer).unwrap_or_default();
        let Some((before, after)) = whole.split_once(list) else {
            return Answer::error("an answer has lost its list").into();
        };
        let mut head = format!("{before}{list}").into_bytes();
        let tail = format!("{after}\n").into_bytes();
        let mut rows = rows.into_iter();
        let mut is_first = true;
        let next = move || {
            let mut octets = std::mem::take(&mut head);
            while octets.len() < PIECE {
                let Some(row) = rows.next() else {
                    octets.extend_from_slice(&tail);
                    return Piece {
                        octets,
                        is_last: true,
                    };
                };
                if !std::mem::replace(&mut is_first, false) {
                    octets.push(b',');
                }
                // See above.
                let _ = serde_json::to_writer(&mut octets, &write(&row));
            }
            Piece {
                octets,
                is_last: false,
            }
        };
        Reply::InPieces(Self(Box::new(next)))
    }
}
