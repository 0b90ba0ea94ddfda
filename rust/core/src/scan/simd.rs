//! The ends of strings and containers, found 64 bytes at a time with AVX2 and carry-less multiplication.
//!
//! A block becomes bit masks, one bit a byte: quotes, backslashes, brackets. Escaped quotes are taken out,
//! a prefix XOR over the rest tells which bytes lie inside strings, and only the brackets outside are looked
//! at one by one. Prompts are long strings: a block inside one that has no quote needs no other mask.
//!
//! Invariant: `Some(end)` is what the walk in [`super::skip`] answers. `None` means that it must be asked:
//! the processor lacks the instructions, or the value is cut short, badly nested or otherwise wrong.
//!
//! What it is worth shows in the rows `unary_16k` and `unary_64k` of `bench/results/callgrind.json`.
#![expect(unsafe_code, reason = "vector instructions chosen at run time; every use is in this file")]

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

use super::skip::Nest;

/// Bytes classified at once.
const BLOCK_BYTES: usize = 64;

/// A block whose place is taken by the end of the body: white space means nothing to the walk.
const BLANK: [u8; BLOCK_BYTES] = [b' '; BLOCK_BYTES];

/// One past the bracket that closes the one at `open`.
pub(super) fn container_end(body: &[u8], open: usize) -> Option<usize> {
    if !supported() {
        return None;
    }
    // SAFETY: the processor has the features that the function is compiled for.
    unsafe { container_end_avx2(body, open) }
}

/// One past the closing quote of the string that `body[at]` lies in; no backslash stands before `at`.
pub(super) fn string_end(body: &[u8], at: usize) -> Option<usize> {
    if !supported() {
        return None;
    }
    // SAFETY: the processor has the features that the function is compiled for.
    unsafe { string_end_avx2(body, at) }
}

#[inline]
fn supported() -> bool {
    // Looked up once by the standard library and kept in an atomic.
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("pclmulqdq")
}

#[target_feature(enable = "avx2,pclmulqdq")]
fn container_end_avx2(body: &[u8], open: usize) -> Option<usize> {
    let mut walk = Walk { inside: 0, nest: Nest::default() };
    let (blocks, tail) = body.get(open..)?.as_chunks::<BLOCK_BYTES>();
    let mut base = open;
    for block in blocks {
        match walk.step(body, base, block) {
            Step::GoesOn => base += BLOCK_BYTES,
            Step::Ends { before } => return Some(base + before),
            Step::Unusual => return None,
        }
    }
    match walk.step(body, base, &padded(tail)) {
        Step::Ends { before } => Some(base + before),
        Step::GoesOn | Step::Unusual => None,
    }
}

#[target_feature(enable = "avx2,pclmulqdq")]
fn string_end_avx2(body: &[u8], at: usize) -> Option<usize> {
    let (blocks, tail) = body.get(at..)?.as_chunks::<BLOCK_BYTES>();
    let mut base = at;
    for block in blocks {
        if let Some(end) = closing_quote(body, base, block) {
            return Some(base + end);
        }
        base += BLOCK_BYTES;
    }
    closing_quote(body, base, &padded(tail)).map(|end| base + end)
}

/// One past the first quote of a block that no backslash takes away. The block begins at `base`, in a string.
#[inline]
#[target_feature(enable = "avx2,pclmulqdq")]
fn closing_quote(body: &[u8], base: usize, block: &[u8; BLOCK_BYTES]) -> Option<usize> {
    let bytes = Bytes::load(block);
    let quotes = bytes.equal_to(b'"');
    if quotes == 0 {
        return None;
    }
    let quotes = quotes & !escapes(bytes.equal_to(b'\\'), is_escaped(body, base));
    (quotes != 0).then(|| quotes.trailing_zeros() as usize + 1)
}

/// Whether an odd run of backslashes stands in front of `body[at]`, which is inside a string. Looked up where
/// it matters, so that blocks without quotes need not be looked through for backslashes; a run is met once.
#[inline]
fn is_escaped(body: &[u8], at: usize) -> bool {
    let before = body.get(..at).unwrap_or_default();
    before.last() == Some(&b'\\') && ends_with_odd_run(before)
}

#[cold]
fn ends_with_odd_run(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The state of a walk through a container, between two blocks.
struct Walk {
    /// All bits set when the last byte was inside a string.
    inside: u64,
    nest: Nest,
}

/// What became of a container in one block.
enum Step {
    /// Its last bracket has not come.
    GoesOn,
    /// It is over before this byte of the block.
    Ends { before: usize },
    /// The byte-wise walk must decide.
    Unusual,
}

impl Walk {
    /// Walks over one block, which begins at `base`.
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    fn step(&mut self, body: &[u8], base: usize, block: &[u8; BLOCK_BYTES]) -> Step {
        let bytes = Bytes::load(block);
        let quotes = bytes.equal_to(b'"');
        if quotes == 0 && self.inside != 0 {
            return Step::GoesOn;
        }
        let backslashes = bytes.equal_to(b'\\');
        let quotes = quotes & !escapes(backslashes, self.inside != 0 && is_escaped(body, base));
        if quotes == 0 && self.inside != 0 {
            return Step::GoesOn;
        }
        self.structure(&bytes, block, quotes, backslashes)
    }

    /// Walks over a block that is not all inside one string.
    #[inline(never)]
    #[target_feature(enable = "avx2,pclmulqdq")]
    fn structure(&mut self, bytes: &Bytes, block: &[u8; BLOCK_BYTES], quotes: u64, backslashes: u64) -> Step {
        let inside = prefix_xor(quotes) ^ self.inside;
        self.inside = 0_u64.wrapping_sub(inside >> 63);
        if backslashes & !inside != 0 {
            return Step::Unusual;
        }
        let mut brackets = bytes.brackets() & !inside;
        while brackets != 0 {
            let at = brackets.trailing_zeros() as usize;
            match block.get(at) {
                Some(&bracket @ (b'{' | b'[')) => {
                    if !self.nest.open(bracket) {
                        return Step::Unusual;
                    }
                }
                Some(&bracket) => match self.nest.close(bracket) {
                    Some(0) => return Step::Ends { before: at + 1 },
                    Some(_) => {}
                    None => return Step::Unusual,
                },
                None => return Step::Unusual,
            }
            brackets &= brackets - 1;
        }
        Step::GoesOn
    }
}

/// The bytes that stand behind an odd run of backslashes. `first`: such a run ends with the byte before the
/// block.
///
/// Adding the first bit of a run to the run carries into the bit behind it: with the parity of where it began
/// known, the parity of where it ends tells whether the run is odd (Langdale and Lemire 2019, §3.1.1).
#[inline]
fn escapes(backslashes: u64, first: bool) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let first = u64::from(first);
    if backslashes == 0 {
        return first;
    }
    let counting = backslashes & !first;
    // Most runs are of one.
    if counting & (counting << 1) == 0 {
        return (first & !backslashes) | (counting << 1);
    }
    let starts = counting & !(counting << 1);
    let behind_even = counting.wrapping_add(starts & EVEN) & !counting;
    let behind_odd = counting.wrapping_add(starts & !EVEN) & !counting;
    (first & !backslashes) | (behind_even & !EVEN) | (behind_odd & EVEN)
}

/// Each bit becomes the XOR of itself and all lower ones: set from an opening quote up to its closing one.
#[inline]
#[target_feature(enable = "avx2,pclmulqdq")]
fn prefix_xor(bits: u64) -> u64 {
    let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1));
    _mm_cvtsi128_si64(product).cast_unsigned()
}

/// What is left of the body, filled up to a block.
fn padded(tail: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut block = BLANK;
    for (to, from) in block.iter_mut().zip(tail) {
        *to = *from;
    }
    block
}

/// A block in two registers.
struct Bytes(__m256i, __m256i);

impl Bytes {
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    fn load(block: &[u8; BLOCK_BYTES]) -> Self {
        let start = block.as_ptr();
        // SAFETY: both loads, which may be unaligned, lie inside the 64 bytes that `block` borrows.
        unsafe { Self(_mm256_loadu_si256(start.cast()), _mm256_loadu_si256(start.add(32).cast())) }
    }

    /// One bit for each byte that equals `byte`.
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    fn equal_to(&self, byte: u8) -> u64 {
        let wanted = _mm256_set1_epi8(byte.cast_signed());
        bits(_mm256_cmpeq_epi8(self.0, wanted), _mm256_cmpeq_epi8(self.1, wanted))
    }

    /// One bit for each bracket: square and curly ones differ in one bit, which is set first.
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    fn brackets(&self) -> u64 {
        let curl = _mm256_set1_epi8(0x20);
        let curled = Self(_mm256_or_si256(self.0, curl), _mm256_or_si256(self.1, curl));
        curled.equal_to(b'{') | curled.equal_to(b'}')
    }
}

/// The sign bits of 64 bytes.
#[inline]
#[target_feature(enable = "avx2,pclmulqdq")]
fn bits(low: __m256i, high: __m256i) -> u64 {
    let low = _mm256_movemask_epi8(low).cast_unsigned();
    let high = _mm256_movemask_epi8(high).cast_unsigned();
    u64::from(low) | u64::from(high) << 32
}
