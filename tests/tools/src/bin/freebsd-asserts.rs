//! Prints a C file that compiles only where FreeBSD's headers agree with every number, size and
//! offset that the port writes down by itself.

use std::io::{self, Write};

use vrrp_freebsd::abi::{CHECKS, HEADERS};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for header in HEADERS {
        writeln!(out, "#include <{header}>")?;
    }
    for (name, expression, value) in CHECKS {
        // Both sides in one width: some of the expressions are int, some size_t.
        writeln!(
            out,
            "_Static_assert((unsigned long long)({expression}) == {value}ULL, \"{name}\");"
        )?;
    }
    out.flush()
}
