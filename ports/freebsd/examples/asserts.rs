//! Prints a C file that compiles only where FreeBSD's headers agree with every number, size and
//! offset that the port writes down by itself.

use vrrp_freebsd::abi::{CHECKS, HEADERS};

fn main() {
    for header in HEADERS {
        println!("#include <{header}>");
    }
    for (name, expression, value) in CHECKS {
        // Both sides in one width: some of the expressions are int, some size_t.
        println!("_Static_assert((unsigned long long)({expression}) == {value}ULL, \"{name}\");");
    }
}
