//! What the caller points to: the only module that goes through pointers.
//!
//! A pointer is checked as far as it can be: NULL, misaligned, and longer than memory. That what it
//! points to is there, and that nobody else uses it meanwhile, is what each header asks for.

use core::ffi::c_int;
use core::mem::size_of;
use core::slice;

use crate::numbers::{VRRP_ERR_ALIGN, VRRP_ERR_NULL, VRRP_ERR_SIZE, VRRP_ERR_VALUE};

/// A plain struct of C: `repr(C)`, and any octets are one.
///
/// # Safety
/// Every pattern of octets is a value of the type.
pub(crate) unsafe trait Plain: Copy {}

/// A struct that begins with its size.
///
/// # Safety
/// The first field is the size, a `u32`.
pub(crate) unsafe trait Sized32: Plain {}

// SAFETY: any octet is an octet.
unsafe impl Plain for u8 {}
// SAFETY: any four octets are a number.
unsafe impl Plain for u32 {}
// SAFETY: any eight octets are a number.
unsafe impl Plain for u64 {}

/// Refuses what is NULL or misaligned.
#[inline]
pub(crate) fn check<T>(pointer: *const T) -> Result<(), c_int> {
    if pointer.is_null() {
        return Err(VRRP_ERR_NULL);
    }
    match pointer.is_aligned() {
        true => Ok(()),
        false => Err(VRRP_ERR_ALIGN),
    }
}

/// Reads what `pointer` points to.
///
/// # Safety
/// It is NULL, misaligned, or points to a `T`.
#[inline]
pub(crate) unsafe fn read<T: Plain>(pointer: *const T) -> Result<T, c_int> {
    check(pointer)?;
    // SAFETY: it is neither NULL nor misaligned, so it points to a `T`, which can have any value.
    Ok(unsafe { pointer.read() })
}

/// Reads a struct that begins with its size. What the caller knows beyond it must be zero.
///
/// # Safety
/// It is NULL, misaligned, or points to as many octets as its size says, and to four at least.
#[inline]
pub(crate) unsafe fn read_sized<T: Sized32>(pointer: *const T) -> Result<T, c_int> {
    check(pointer)?;
    // SAFETY: four octets are there, and the alignment of `T` is at least that of its first field.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    if size < size_of::<T>() {
        return Err(VRRP_ERR_SIZE);
    }
    // SAFETY: `size` octets are there.
    let rest = unsafe { pointer.cast::<u8>().add(size_of::<T>()) };
    // SAFETY: as above.
    let rest = unsafe { items(rest, size - size_of::<T>())? };
    if rest.iter().any(|octet| *octet != 0) {
        return Err(VRRP_ERR_SIZE);
    }
    // SAFETY: a whole `T` is there, which can have any value.
    Ok(unsafe { pointer.read() })
}

/// Checks that `pointer` can take a `T`, whose size the caller has written into it.
///
/// # Safety
/// It is NULL, misaligned, or points to as many octets as its size says, and to four at least.
#[inline]
pub(crate) unsafe fn check_sized<T: Sized32>(pointer: *const T) -> Result<(), c_int> {
    check(pointer)?;
    // SAFETY: four octets are there, and the alignment of `T` is at least that of its first field.
    match unsafe { pointer.cast::<u32>().read() } as usize >= size_of::<T>() {
        true => Ok(()),
        false => Err(VRRP_ERR_SIZE),
    }
}

/// Writes a value.
///
/// # Safety
/// The pointer has passed [`check`] or [`check_sized`], and points to memory for a `T`.
#[inline]
pub(crate) unsafe fn write<T: Plain>(pointer: *mut T, value: T) {
    // SAFETY: the pointer is good, by the contract.
    unsafe { pointer.write(value) }
}

/// Writes a value unless the pointer is NULL.
///
/// # Safety
/// It is NULL or points to memory for a `T`, aligned or not.
#[inline]
pub(crate) unsafe fn write_optional<T: Plain>(pointer: *mut T, value: T) {
    if !pointer.is_null() {
        // SAFETY: there is memory for a `T`.
        unsafe { pointer.write_unaligned(value) }
    }
}

/// `len` values. NULL will do for none.
///
/// # Safety
/// It is NULL, misaligned, or points to `len` values that nobody changes during `'a`.
#[inline]
pub(crate) unsafe fn items<'a, T: Plain>(pointer: *const T, len: usize) -> Result<&'a [T], c_int> {
    if len == 0 {
        return Ok(&[]);
    }
    check(pointer)?;
    check_len::<T>(len)?;
    // SAFETY: it points to `len` values of any octets, not beyond what a slice may span.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// Memory for `len` values. NULL will do for none.
///
/// # Safety
/// It is NULL, misaligned, or points to memory for `len` values that nobody else uses during `'a`.
#[inline]
pub(crate) unsafe fn items_mut<'a, T: Plain>(
    pointer: *mut T,
    len: usize,
) -> Result<&'a mut [T], c_int> {
    if len == 0 {
        return Ok(&mut []);
    }
    check(pointer)?;
    check_len::<T>(len)?;
    // SAFETY: it points to memory for `len` values, not beyond what a slice may span. Any octets,
    // those of memory that was never written included, are a value.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

/// A slice spans at most half of the address space.
#[inline]
fn check_len<T>(len: usize) -> Result<(), c_int> {
    match len.checked_mul(size_of::<T>()) {
        Some(octets) if isize::try_from(octets).is_ok() => Ok(()),
        _ => Err(VRRP_ERR_VALUE),
    }
}
