//! Google's embeddings: `embedContent` for one input, `batchEmbedContents` for several, which are two dialects with the
//! same objects. Sources: the discovery document of `generativelanguage` v1beta, the SDK `google-genai` 3.6.
//!
//! What is asked stands beside the content, or in `embedContentConfig`, which is newer and wins; it is written where
//! the SDK writes it, beside. The path names the model and the body names it again, as `models/…`.

mod model;
mod read;
mod write;

use super::{
    Content, EmbeddingClient, EmbeddingCodec, EmbeddingUpstream, Facts, Field, Terminal, UsagePaths, gemini,
};
use crate::embedding::Task;
use crate::routing::Contents;

pub use model::renamed;

/// Of one input.
pub(super) const FACTS: Facts = Facts {
    fields: &[
        ("content", Field::Content),
        // The one in the path is obeyed.
        ("model", Field::Content),
        ("taskType", Field::Content),
        ("task_type", Field::Alias("taskType")),
        ("title", Field::Content),
        ("outputDimensionality", Field::Content),
        ("output_dimensionality", Field::Alias("outputDimensionality")),
        ("embedContentConfig", Field::Content),
        ("embed_content_config", Field::Alias("embedContentConfig")),
    ],
    terminal: Terminal::Event(&[]),
    error_events: &["error"],
    error_members: &[&["error"]],
    refusals: gemini::FACTS.refusals,
    content: Content::None,
    usage_at: &[&["usageMetadata"]],
    usage: UsagePaths {
        input: &["promptTokenCount"],
        input_apart: &[],
        output: &[],
        output_apart: &[],
        cached_input: &[],
        cache_write: &[],
        cache_write_1h: &[],
        cache_apart: false,
        reasoning: &[],
        searches: &[],
    },
    usage_on_request: false,
    contents: Contents::NONE,
    wants: &[],
};

/// Of several.
pub(super) const BATCH_FACTS: Facts =
    Facts { fields: &[("requests", Field::Content), ("model", Field::Content)], ..FACTS };

pub(super) const CODEC: EmbeddingCodec = EmbeddingCodec {
    client: Some(EmbeddingClient {
        read_request: read::request,
        words: &[
            ("input", "content"),
            ("input[].parts", "content.parts"),
            ("input_type", "taskType"),
            ("truncate", "embedContentConfig.autoTruncate"),
            ("dimensions", "outputDimensionality"),
        ],
        write_reply: write::reply,
        write_error: gemini::write_reply::error,
    }),
    upstream: EmbeddingUpstream { write_request: write::request, read_reply: read::reply },
};

pub(super) const BATCH_CODEC: EmbeddingCodec = EmbeddingCodec {
    client: Some(EmbeddingClient {
        read_request: read::requests,
        words: &[
            ("input", "requests"),
            ("input[].parts", "requests[].content.parts"),
            ("input_type", "requests[].taskType"),
            ("title", "requests[].title"),
            ("truncate", "requests[].embedContentConfig.autoTruncate"),
            ("dimensions", "requests[].outputDimensionality"),
        ],
        write_reply: write::replies,
        write_error: gemini::write_reply::error,
    }),
    upstream: EmbeddingUpstream { write_request: write::requests, read_reply: read::replies },
};

const TASKS: [(&str, Task); 8] = [
    ("RETRIEVAL_QUERY", Task::Query),
    ("RETRIEVAL_DOCUMENT", Task::Document),
    ("SEMANTIC_SIMILARITY", Task::Similarity),
    ("CLASSIFICATION", Task::Classification),
    ("CLUSTERING", Task::Clustering),
    ("QUESTION_ANSWERING", Task::Question),
    ("FACT_VERIFICATION", Task::FactCheck),
    ("CODE_RETRIEVAL_QUERY", Task::CodeQuery),
];
