//! The memory in use. How much of the stack: the start-up code paints it, and what is still painted was
//! never touched.

const PAINT: u32 = 0xcccc_cccc;

unsafe extern "C" {
    /// Both ends of the stack, from the linker script; the start is the higher one.
    static _stack_start: u32;
    static _stack_end: u32;
    /// Where the memory of the statics begins, and where it ends.
    static __sdata: u32;
    static __euninit: u32;
}

/// The octets of memory that the program has for itself, without the stack.
pub(crate) fn static_memory() -> usize {
    (&raw const __euninit).addr() - (&raw const __sdata).addr()
}

/// The most octets that the stack has held.
pub(crate) fn high_water() -> usize {
    let (mut at, top) = (&raw const _stack_end, &raw const _stack_start);
    // SAFETY: the linker script keeps both ends in RAM, aligned, and nothing but the stack between
    // them; reading stops at its end.
    while at < top && unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    top.addr() - at.addr()
}
