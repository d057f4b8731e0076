//! The metrics page read back, for `layerlock operator status`.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

/// A page is some kilobytes; whatever listens there instead may send what it likes.
const MOST_BYTES: usize = 8 << 20;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[error(
    "no metrics at http://{address}/metrics: {why}; is `layerlock serve` running, and its `metrics` setting an address?"
)]
pub struct PageError {
    address: SocketAddr,
    why: String,
}

/// Every sample of a page.
#[derive(Debug, Clone, Default)]
pub struct Page(Vec<Sample>);

#[derive(Debug, Clone)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Page {
    /// Fetches the page of the process that serves its metrics at `address`.
    ///
    /// # Errors
    /// When nobody answers there, or something else does.
    pub async fn fetch(address: SocketAddr) -> Result<Self, PageError> {
        let failed = |why: String| PageError { address, why };
        let fetched =
            timeout(PATIENCE, fetch(address)).await.map_err(|_| failed("no answer in time".into()))?;
        Ok(Self::parse(&fetched.map_err(|error| failed(error.to_string()))?))
    }

    /// Reads the text format; lines of another form are passed over.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(sample).collect())
    }

    /// The sum of a figure's samples that carry all of these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Sample, (label, value): &(&str, &str)| {
            sample.labels.iter().any(|(name, is)| name == label && is == value)
        };
        let fits = |sample: &&Sample| sample.name == name && labels.iter().all(|label| has(sample, label));
        self.0.iter().filter(fits).fold(0.0, |sum, sample| sum + sample.value)
    }

    /// What a label says in a figure's samples, each with its sum.
    pub fn by(&self, name: &str, label: &str) -> Vec<(String, f64)> {
        let values = self.0.iter().filter(|sample| sample.name == name);
        let mut values: Vec<String> = values
            .flat_map(|sample| {
                sample.labels.iter().filter(|(is, _)| is == label).map(|(_, value)| value.clone())
            })
            .collect();
        values.sort();
        values.dedup();
        values.into_iter().map(|value| (value.clone(), self.sum(name, &[(label, &value)]))).collect()
    }

    /// The mean of a histogram's measurements, if there are any.
    pub fn mean(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let count = self.sum(&format!("{name}_count"), labels);
        (count > 0.0).then(|| self.sum(&format!("{name}_sum"), labels) / count)
    }
}

async fn fetch(address: SocketAddr) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let socket = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let request =
        http::Request::get("/metrics").header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if !response.status().is_success() {
        return Err(format!("it answers {}", response.status()).into());
    }
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (named, value) = line.rsplit_once(' ')?;
    let (name, labels) = match named.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (named, ""),
    };
    let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
        let (name, value) = label.split_once("=\"")?;
        Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
    });
    Some(Sample { name: name.to_owned(), labels: labels.collect::<Option<_>>()?, value: value.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_summed_by_name_and_label() {
        let page = Page::parse(
            "# HELP jobs Steps.\n# TYPE jobs counter\njobs{state=\"sealed\"} 3\njobs{state=\"printed\",by=\"a\"} 4\n\
             jobs{state=\"printed\",by=\"b\"} 1\nopen 2\nseconds_sum 1.5\nseconds_count 3\nnot a sample {\n",
        );
        assert_eq!(page.sum("jobs", &[]), 8.0);
        assert_eq!(page.sum("jobs", &[("state", "printed")]), 5.0);
        assert_eq!(page.sum("open", &[]), 2.0);
        assert!(page.sum("absent", &[]).is_sign_positive(), "no figure reads as minus nought");
        assert_eq!(page.by("jobs", "state"), [("printed".to_owned(), 5.0), ("sealed".to_owned(), 3.0)]);
        assert_eq!((page.mean("seconds", &[]), page.mean("none", &[])), (Some(0.5), None));
    }
}
