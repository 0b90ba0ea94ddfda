//! Sixteen bytes at once: which of them are hits?
//!
//! On x86-64 a mask is a handful of SSE2 instructions, which every such processor has; elsewhere it is a loop
//! that the compiler may vectorise. Lines of a head are short (a few dozen bytes), so neither wider registers
//! nor a choice at run time would pay.
//!
//! Invariant: both ways agree for all 256 bytes at all 16 places (tested below).

/// Bytes looked at together.
pub(super) const BLOCK: usize = 16;

/// What is searched for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hit {
    /// Below the space, tabs included, or DEL.
    Control,
    /// A colon.
    Colon,
    /// No letter, digit, hyphen or dot.
    NotPlain,
    /// No letter and not in `-` to `;`, which are the hyphen, dot, slash, digits, colon and semicolon.
    NotPath,
}

/// A bit for each byte of `block` that is a `hit`, the first byte's lowest.
#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(unsafe_code, reason = "the compiler does not count SSE2 as given, though it is part of x86-64")]
pub(super) fn hits(hit: Hit, block: &[u8; BLOCK]) -> u32 {
    // SAFETY: the function needs nothing but SSE2, and there is no x86-64 processor without it.
    unsafe { sse2::hits(hit, block) }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use portable::hits;

/// The same for two blocks.
#[inline]
pub(super) fn hits_in_two(hit: Hit, blocks: &[u8; 2 * BLOCK]) -> u32 {
    match blocks.as_chunks() {
        ([first, second], _) => hits(hit, first) | (hits(hit, second) << BLOCK),
        _ => 0,
    }
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use super::{BLOCK, Hit};
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn hits(hit: Hit, block: &[u8; BLOCK]) -> u32 {
        let bytes = load(block);
        match hit {
            Hit::Control => bits(_mm_or_si128(within(bytes, 0, 0x1f), _mm_cmpeq_epi8(bytes, all(0x7f)))),
            Hit::Colon => bits(_mm_cmpeq_epi8(bytes, all(b':'))),
            Hit::NotPlain => {
                let marks_or_digits = _mm_or_si128(within(bytes, b'-', 1), within(bytes, b'0', 9));
                bits(_mm_or_si128(letters(bytes), marks_or_digits)) ^ 0xffff
            }
            Hit::NotPath => bits(_mm_or_si128(letters(bytes), within(bytes, b'-', 14))) ^ 0xffff,
        }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(block: &[u8; BLOCK]) -> __m128i {
        // Compiles to one unaligned load.
        let both = u128::from_le_bytes(*block);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves are meant")]
        let (low, high) = (both as u64, (both >> 64) as u64);
        _mm_set_epi64x(high.cast_signed(), low.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn all(byte: u8) -> __m128i {
        _mm_set1_epi8(byte.cast_signed())
    }

    /// Which bytes lie in `from..=from + width`. There is no unsigned comparison, but `min(b, w) == b` is one.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn within(bytes: __m128i, from: u8, width: u8) -> __m128i {
        let offset = if from == 0 { bytes } else { _mm_sub_epi8(bytes, all(from)) };
        _mm_cmpeq_epi8(_mm_min_epu8(offset, all(width)), offset)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn letters(bytes: __m128i) -> __m128i {
        within(_mm_or_si128(bytes, all(0x20)), b'a', 25)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn bits(bytes: __m128i) -> u32 {
        _mm_movemask_epi8(bytes).cast_unsigned()
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::{BLOCK, Hit};

    #[inline]
    pub(in super::super) fn hits(hit: Hit, block: &[u8; BLOCK]) -> u32 {
        match hit {
            Hit::Control => bits(block, |byte| byte < b' ' || byte == 0x7f),
            Hit::Colon => bits(block, |byte| byte == b':'),
            Hit::NotPlain => {
                bits(block, |byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')))
            }
            Hit::NotPath => {
                bits(block, |byte| !(byte.is_ascii_alphabetic() || (b'-'..=b';').contains(&byte)))
            }
        }
    }

    #[inline]
    fn bits(block: &[u8; BLOCK], hit: impl Fn(u8) -> bool) -> u32 {
        block.iter().rev().fold(0, |bits, byte| (bits << 1) | u32::from(hit(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_agree_for_every_byte_at_every_place() {
        for hit in [Hit::Control, Hit::Colon, Hit::NotPlain, Hit::NotPath] {
            for place in 0..BLOCK {
                for byte in 0..=u8::MAX {
                    for rest in [b'a', b':', 0, 0xff] {
                        let mut block = [rest; BLOCK];
                        block[place] = byte;
                        assert_eq!(
                            hits(hit, &block),
                            portable::hits(hit, &block),
                            "{hit:?} {byte:#x} at {place}"
                        );
                    }
                }
            }
        }
    }
}
