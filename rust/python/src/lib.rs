//! `llm_edge_agent._engine`: the engine as Python sees it. Conversions only; bytes and small values cross.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use llm_edge_core::dialect::Dialect;
use llm_edge_core::model_name;
use llm_edge_core::principal::virtual_key::Pepper;
use llm_edge_core::rejection::Code;
use llm_edge_core::snapshot::Strategy;
use llm_edge_core::surface::Operation;
use llm_edge_core::tokens::{self, Exactness, Table};
use llm_edge_engine::{Address, METRICS};
use llm_edge_mock::oracle::upstream::OracleHandle;
use llm_edge_mock::{MODELS, Mock as MockProvider, MockHandle};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

pyo3::create_exception!(
    _engine,
    EngineError,
    pyo3::exceptions::PyException,
    "The engine refused: the message says what, where and how to mend it."
);

fn refused(error: impl std::fmt::Display) -> PyErr {
    EngineError::new_err(error.to_string())
}

/// Listener, workers and upstream pools of the data path.
#[pyclass(frozen)]
struct Engine(llm_edge_engine::Engine);

#[pymethods]
impl Engine {
    #[new]
    fn new(options: &[u8]) -> PyResult<Self> {
        llm_edge_engine::Engine::new(options).map(Self).map_err(refused)
    }

    fn start(&self, py: Python<'_>) -> PyResult<(String, u16)> {
        match self.call(py, llm_edge_engine::Engine::start)? {
            Address::Tcp(address) => Ok(pair(address)),
            unix @ Address::Unix(_) => Ok((unix.to_string(), 0)),
        }
    }

    fn apply(&self, py: Python<'_>, snapshot: &[u8]) -> PyResult<u64> {
        self.call(py, |engine| engine.apply(snapshot))
    }

    fn directory_replace(&self, py: Python<'_>, principals: &[u8]) -> PyResult<usize> {
        self.call(py, |engine| engine.directory_replace(principals))
    }

    fn set_credential(&self, py: Python<'_>, slot: &str, value: &str) -> PyResult<()> {
        self.call(py, |engine| engine.set_credential(slot, value))
    }

    fn set_private_key(&self, py: Python<'_>, slot: &str, pem: &str) -> PyResult<()> {
        self.call(py, |engine| engine.set_private_key(slot, pem))
    }

    fn lose_credential(&self, py: Python<'_>, slot: &str, reason: &str) -> PyResult<()> {
        self.call(py, |engine| {
            engine.lose_credential(slot, reason);
            Ok(())
        })
    }

    fn set_certificate(&self, py: Python<'_>, cert_pem: &str, key_pem: &str) -> PyResult<()> {
        self.call(py, |engine| engine.set_certificate(cert_pem, key_pem))
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = self.call(py, |engine| Ok(engine.status()))?;
        Ok(PyBytes::new(py, text.as_bytes()))
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = self.call(py, |engine| Ok(engine.metrics()))?;
        Ok(PyBytes::new(py, text.as_bytes()))
    }

    fn explain<'py>(&self, py: Python<'py>, question: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let text = self.call(py, |engine| engine.explain(question))?;
        Ok(PyBytes::new(py, text.as_bytes()))
    }

    fn set_policy(&self, py: Python<'_>, name: &str, policy: Py<PyAny>) -> PyResult<()> {
        let rank = move |question: &str| -> Option<String> {
            Python::attach(|py| policy.call1(py, (question,)).ok()?.extract(py).ok())
        };
        self.call(py, |engine| engine.set_policy(name, Box::new(rank)))
    }

    fn set_ready(&self, ready: bool) {
        self.0.set_ready(ready);
    }

    fn drain(&self, py: Python<'_>, deadline_s: f64) -> PyResult<bool> {
        let deadline = Duration::try_from_secs_f64(deadline_s).map_err(refused)?;
        self.call(py, |engine| Ok(engine.drain(deadline)))
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.0.stop());
    }
}

impl Engine {
    /// Without the interpreter's lock, and so that a panic is an error: Python's own wrapping of one is no
    /// `Exception`, and would end whatever thread called.
    fn call<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&llm_edge_engine::Engine) -> Result<T, llm_edge_engine::EngineError> + Send,
    ) -> PyResult<T> {
        py.detach(|| self.0.call(work)).map_err(refused)
    }
}

/// The mock provider on a listener of its own.
#[pyclass(frozen)]
struct Mock {
    wanted: (String, u16),
    running: Mutex<Option<MockHandle>>,
}

#[pymethods]
impl Mock {
    #[new]
    fn new(host: String, port: u16) -> Self {
        Self { wanted: (host, port), running: Mutex::new(None) }
    }

    fn start(&self, py: Python<'_>) -> PyResult<(String, u16)> {
        py.detach(|| {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(handle) = &*running {
                return Ok(pair(handle.address()));
            }
            let (host, port) = &self.wanted;
            let shown = format!("{host}:{port}");
            let ip = host.parse().map_err(|_| format!("`{host}` is not an IP address"))?;
            let handle = MockProvider::start(SocketAddr::new(ip, *port))
                .map_err(|e| format!("the mock provider cannot listen on `{shown}`: {e}"))?;
            let address = pair(handle.address());
            *running = Some(handle);
            Ok(address)
        })
        .map_err(|e: String| refused(e))
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| {
            if let Some(handle) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
                handle.stop();
            }
        });
    }
}

/// The oracle upstream on a listener of its own.
#[pyclass(frozen)]
struct Oracle {
    wanted: (String, u16),
    running: Mutex<Option<OracleHandle>>,
}

#[pymethods]
impl Oracle {
    #[new]
    fn new(host: String, port: u16) -> Self {
        Self { wanted: (host, port), running: Mutex::new(None) }
    }

    fn start(&self, py: Python<'_>) -> PyResult<(String, u16)> {
        py.detach(|| {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(handle) = &*running {
                return Ok(pair(handle.address()));
            }
            let (host, port) = &self.wanted;
            let ip = host.parse().map_err(|_| format!("`{host}` is not an IP address"))?;
            let handle = OracleHandle::start(SocketAddr::new(ip, *port))
                .map_err(|e| format!("the oracle cannot listen on `{host}:{port}`: {e}"))?;
            let address = pair(handle.address());
            *running = Some(handle);
            Ok(address)
        })
        .map_err(|e: String| refused(e))
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| {
            if let Some(handle) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
                handle.stop();
            }
        });
    }
}

fn pair(address: SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
}

/// HMAC-SHA-256 of a virtual key under the pepper.
#[pyfunction]
fn key_hash<'py>(py: Python<'py>, pepper: &[u8], key: &str) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &Pepper::new(pepper).hash(key.as_bytes()))
}

/// xxh3-128 of the bytes, in hexadecimal.
#[pyfunction]
fn request_fingerprint(data: &[u8]) -> String {
    format!("{:032x}", twox_hash::XxHash3_128::oneshot(data))
}

/// The names under which a model may stand, the most exact first, all in lower case.
#[pyfunction]
fn model_spellings(name: &str) -> Vec<String> {
    model_name::spellings(name)
}

/// The tokens of a text for a model, and whether that is exact.
#[pyfunction]
fn count_tokens(py: Python<'_>, text: &str, model: &str) -> (u64, bool) {
    py.detach(|| {
        let (table, published) = Table::of_model(model);
        let (tokens, counted) = tokens::count(text, table);
        (tokens, published == Exactness::Exact && counted == Exactness::Exact)
    })
}

/// The tokens of a request for a model, whether that is exact, and its images, recordings and files.
#[pyfunction]
fn estimate_request(
    py: Python<'_>,
    body: &[u8],
    dialect: &str,
    model: &str,
) -> PyResult<(u64, bool, u32, u32, u32)> {
    let found = Dialect::ALL.into_iter().find(|known| known.name() == dialect);
    let dialect = found.ok_or_else(|| refused(format!("no dialect is called `{dialect}`")))?;
    Ok(py.detach(|| {
        let (table, published) = Table::of_model(model);
        let found = tokens::request(body, dialect, table);
        let exact = found.exact && published == Exactness::Exact;
        (found.input, exact, found.images, found.audio, found.files)
    }))
}

/// What this engine knows, as JSON.
#[pyfunction]
fn explain<'py>(py: Python<'py>, snapshot: &[u8], question: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let text = py.detach(|| llm_edge_engine::explain(snapshot, question)).map_err(refused)?;
    Ok(PyBytes::new(py, text.as_bytes()))
}

#[pyfunction]
fn capabilities(py: Python<'_>) -> Bound<'_, PyBytes> {
    let errors: Vec<_> = Code::ALL
        .into_iter()
        .map(|code| {
            let row = code.row();
            serde_json::json!({
                "code": row.code, "status": row.status,
                "openai_type": row.openai_type, "anthropic_type": row.anthropic_type,
            })
        })
        .collect();
    let metrics: Vec<_> = METRICS
        .iter()
        .map(|m| serde_json::json!({"name": m.name, "type": m.kind, "help": m.help, "labels": m.labels}))
        .collect();
    let value = serde_json::json!({
        "strategies": Strategy::ALL.map(|(name, _)| name),
        "operations": Operation::ALL.map(Operation::name),
        "dialects": Dialect::ALL.map(Dialect::name),
        "mock_models": MODELS,
        "errors": errors,
        "metrics": metrics,
    });
    PyBytes::new(py, value.to_string().as_bytes())
}

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("EngineError", module.py().get_type::<EngineError>())?;
    module.add_class::<Engine>()?;
    module.add_class::<Mock>()?;
    module.add_class::<Oracle>()?;
    module.add_function(wrap_pyfunction!(key_hash, module)?)?;
    module.add_function(wrap_pyfunction!(request_fingerprint, module)?)?;
    module.add_function(wrap_pyfunction!(model_spellings, module)?)?;
    module.add_function(wrap_pyfunction!(count_tokens, module)?)?;
    module.add_function(wrap_pyfunction!(estimate_request, module)?)?;
    module.add_function(wrap_pyfunction!(capabilities, module)?)?;
    module.add_function(wrap_pyfunction!(explain, module)?)?;
    Ok(())
}
