//! A `memmove` of a few instructions, in the place of the library's, which copies by words and takes
//! 620 octets more of flash. Only smoltcp's neighbour cache and its routes move memory that overlaps,
//! some 200 octets, when an entry is replaced.

/// `memmove` by the names of ARM's run-time ABI, for any alignment.
// SAFETY: the contract is that of the library function, and the names are its own, which are weak there.
#[unsafe(no_mangle)]
unsafe extern "C" fn __aeabi_memmove(to: *mut u8, from: *const u8, len: usize) {
    let backwards = to.addr() > from.addr();
    for done in 0..len {
        let at = if backwards { len - 1 - done } else { done };
        // SAFETY: the caller gives `len` octets at both places. Volatile, or the compiler would see a
        // memmove in this loop and call it.
        unsafe {
            to.wrapping_add(at)
                .write_volatile(from.wrapping_add(at).read())
        };
    }
}

/// The same for octets that are aligned to words.
// SAFETY: as for `__aeabi_memmove`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __aeabi_memmove4(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { __aeabi_memmove(to, from, len) };
}

/// The same for octets that are aligned to two words.
// SAFETY: as for `__aeabi_memmove`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __aeabi_memmove8(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { __aeabi_memmove(to, from, len) };
}
