//! Content codings: each event flushed on its way out; whole bodies on the way in.

use std::io::{self, Read, Write};

use super::order::Coding;

/// Compresses the pieces of one stream, each to what its flush gives; the last one ends it.
///
/// # Errors
/// The codec's.
pub fn encode(coding: Coding, pieces: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
    match coding {
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let mut coded = flushed(&mut encoder, pieces, |encoder| std::mem::take(encoder.get_mut()))?;
            coded.push(encoder.finish()?);
            Ok(coded)
        }
        Coding::Br => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 18);
            let mut coded = flushed(&mut encoder, pieces, |encoder| std::mem::take(encoder.get_mut()))?;
            coded.push(encoder.into_inner());
            Ok(coded)
        }
        Coding::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
            let mut coded = flushed(&mut encoder, pieces, |encoder| std::mem::take(encoder.get_mut()))?;
            coded.push(encoder.finish()?);
            Ok(coded)
        }
    }
}

fn flushed<W: Write>(
    encoder: &mut W,
    pieces: &[Vec<u8>],
    take: impl Fn(&mut W) -> Vec<u8>,
) -> io::Result<Vec<Vec<u8>>> {
    let flush = |piece: &Vec<u8>| {
        encoder.write_all(piece)?;
        encoder.flush()?;
        Ok(take(encoder))
    };
    pieces.iter().map(flush).collect()
}

/// Decodes a whole body by its `Content-Encoding`.
///
/// # Errors
/// The body is not what it says it is, or ends early; a coding nobody asked for.
pub fn decode(coding: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    match coding {
        "gzip" => drop(flate2::read::MultiGzDecoder::new(body).read_to_end(&mut decoded)?),
        "br" => drop(brotli::Decompressor::new(body, 4096).read_to_end(&mut decoded)?),
        "zstd" => drop(zstd::stream::read::Decoder::new(body)?.read_to_end(&mut decoded)?),
        other => return Err(io::Error::other(format!("content coding `{other}`"))),
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_coded_comes_out_again_and_each_piece_at_its_flush() {
        let pieces: Vec<Vec<u8>> = (0..20).map(|n| format!("data: {n} 日本語\n\n").into_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Br, Coding::Zstd] {
            let coded = encode(coding, &pieces).unwrap();
            assert!(coded.iter().take(20).all(|piece| !piece.is_empty()), "{coding:?}");
            assert_eq!(decode(coding.name(), &coded.concat()).unwrap(), pieces.concat(), "{coding:?}");
            let cut = &coded.concat()[..coded.concat().len() - 30];
            assert!(decode(coding.name(), cut).is_err(), "{coding:?}");
        }
    }
}
