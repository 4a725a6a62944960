//! Arithmetic on u128 that tells an overflow, with 256 bits in between.

use crate::failure::{refuse, Result};

/// The product as (high, low).
fn multiply(a: u128, b: u128) -> (u128, u128) {
    const HALF: u128 = u64::MAX as u128;
    let (a_high, a_low) = (a >> 64, a & HALF);
    let (b_high, b_low) = (b >> 64, b & HALF);
    let low = a_low * b_low;
    let cross = a_high * b_low + (low >> 64);
    let middle = a_low * b_high + (cross & HALF);
    (a_high * b_high + (cross >> 64) + (middle >> 64), middle << 64 | low & HALF)
}

/// Rounded down. Errors: `Overflow`, also for a zero divisor.
pub fn multiply_divide(a: u128, b: u128, divisor: u128) -> Result<u128> {
    Ok(divide(a, b, divisor)?.0)
}

/// Rounded up. Errors: `Overflow`, also for a zero divisor.
pub fn multiply_divide_up(a: u128, b: u128, divisor: u128) -> Result<u128> {
    let (quotient, remainder) = divide(a, b, divisor)?;
    sum(quotient, (remainder != 0) as u128)
}

/// Errors: `Overflow`.
pub fn sum(a: u128, b: u128) -> Result<u128> {
    match a.checked_add(b) {
        Some(sum) => Ok(sum),
        None => refuse("Overflow"),
    }
}

fn divide(a: u128, b: u128, divisor: u128) -> Result<(u128, u128)> {
    let (high, low) = multiply(a, b);
    if high >= divisor {
        return refuse("Overflow");
    }
    if high == 0 {
        return Ok((low / divisor, low % divisor));
    }
    // long division, bit by bit: the remainder stays below the divisor
    let (mut quotient, mut remainder) = (0u128, high);
    for bit in (0..128).rev() {
        let carry = remainder >> 127;
        remainder = remainder << 1 | (low >> bit) & 1;
        quotient <<= 1;
        if carry == 1 || remainder >= divisor {
            remainder = remainder.wrapping_sub(divisor);
            quotient |= 1;
        }
    }
    Ok((quotient, remainder))
}
