//! Objects of an S3-compatible store, shared by any number of processes.
//!
//! An object is there whole or not at all: small ones are put in one request, larger ones in parts that become an object
//! when the last has come. Names are random or say what they hold once and for all, so nothing is ever put twice with
//! different bytes. What a process that died had begun is no object; the store's own rule for unfinished uploads removes
//! its parts.
//!
//! The `async` calls are for tasks; the blocking ones, for the threads that seal and open, wait on the runtime the store
//! was opened in.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Buf as _, Bytes};
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, GetResult, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload,
    RetryConfig,
};
use thiserror::Error;
use tokio::runtime::Handle;

use super::{BlobError, BlobName};
use crate::near::is_near;

/// Bytes of one part of a large object; S3 takes none below 5 MiB but the last.
const PART: usize = 8 << 20;

/// How long one request is tried again. A service's callers wait for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the blobs are under the root; envelopes have a folder beside it.
const BLOBS: &str = "blobs";

/// A bucket, or a part of one.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    root: Path,
    runtime: Handle,
}

/// Which bucket of which S3-compatible store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// Where it is; `None` for the cloud's own.
    pub endpoint: Option<String>,
    /// The region's name, as the store knows it.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What comes before every name in it; may be empty.
    pub prefix: String,
}

/// Who we are to a store of objects.
pub enum Credentials {
    /// Whoever the machine says: the environment's `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or the role of the
    /// instance or pod.
    OfTheMachine,
    /// The holder of this access key.
    Key {
        /// Its id.
        id: String,
        /// Its secret.
        secret: String,
    },
}

/// Why a store of objects can't be used.
#[derive(Debug, Error)]
pub enum ObjectsError {
    /// Sealed or not, names and sizes would cross a network in the clear, and anybody could swap bytes.
    #[error("the objects' endpoint {0} is on another machine and is not https: use https")]
    Unprotected(String),
    /// The settings make no sense.
    #[error("the objects' store can't be reached by these settings: {0}")]
    Settings(String),
    /// Nobody answers, or says no.
    #[error("the objects' store does not take what is put: {0}")]
    Unavailable(String),
}

/// An object in the making.
pub struct ObjectWriter {
    objects: Objects,
    path: Path,
    part: Vec<u8>,
    /// Begun when the first part is full.
    upload: Option<Box<dyn MultipartUpload>>,
    bytes: u64,
}

/// An object being read.
pub struct ObjectReader {
    path: Path,
    chunks: BoxStream<'static, object_store::Result<Bytes>>,
    chunk: Bytes,
    bytes: u64,
    runtime: Handle,
}

impl S3 {
    /// Reads `s3://BUCKET[/PREFIX][?endpoint=URL][&region=NAME]`.
    ///
    /// # Errors
    /// [`ObjectsError::Settings`] names what is not of this form.
    pub fn parse(address: &str) -> Result<Self, ObjectsError> {
        let bad = |words: String| ObjectsError::Settings(words);
        let rest = address.strip_prefix("s3://").ok_or_else(|| bad("they do not begin with s3://".into()))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(bad("no bucket is named".into()));
        }
        let (mut endpoint, mut region) = (None, "us-east-1".to_owned());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("endpoint", url)) => endpoint = Some(url.trim_end_matches('/').to_owned()),
                Some(("region", name)) => region = name.to_owned(),
                _ => return Err(bad(format!("`{pair}` is neither endpoint=URL nor region=NAME"))),
            }
        }
        Ok(Self { endpoint, region, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl Objects {
    /// Opens a bucket, and puts and removes an object in it: what can't be written is known now, not at the first upload.
    ///
    /// # Errors
    /// [`ObjectsError`] says what is wrong with the settings or the store.
    pub async fn s3(settings: &S3, credentials: &Credentials) -> Result<Self, ObjectsError> {
        let bad = |error: object_store::Error| ObjectsError::Settings(error.to_string());
        // The one TLS stack is rustls on ring; that it is chosen already is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = AmazonS3Builder::from_env()
            .with_region(&settings.region)
            .with_bucket_name(&settings.bucket)
            .with_client_options(ClientOptions::new().with_timeout(PATIENCE))
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 6,
                retry_timeout: PATIENCE,
            });
        if let Some(endpoint) = &settings.endpoint {
            let plain = endpoint.starts_with("http://");
            if plain && !is_near(host_of(endpoint)) {
                return Err(ObjectsError::Unprotected(endpoint.clone()));
            }
            builder = builder.with_endpoint(endpoint).with_allow_http(plain);
        }
        if let Credentials::Key { id, secret } = credentials {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        let root =
            Path::parse(&settings.prefix).map_err(|error| ObjectsError::Settings(error.to_string()))?;
        let store: Arc<dyn ObjectStore> = Arc::new(builder.build().map_err(bad)?);
        let objects = Self { store, root, runtime: Handle::current() };
        objects.check().await.map_err(|error| ObjectsError::Unavailable(error.to_string()))?;
        Ok(objects)
    }

    /// Objects in memory, for the tests of whoever builds on them; clones share them.
    pub fn memory() -> Self {
        Self { store: Arc::new(InMemory::new()), root: Path::default(), runtime: Handle::current() }
    }

    async fn check(&self) -> object_store::Result<()> {
        let path = self.path("check");
        self.store.put(&path, PutPayload::from_static(b"layerlock")).await?;
        self.store.delete(&path).await
    }

    /// Puts an object of this name, in which `/` parts folders.
    ///
    /// # Errors
    /// [`BlobError::Remote`]; the object may be there or not then.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), BlobError> {
        let path = self.path(name);
        self.store.put(&path, bytes.into()).await.map(drop).map_err(|error| remote(&path, &error))
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// [`BlobError::Remote`], also when there is no such object.
    pub async fn get(&self, name: &str) -> Result<Bytes, BlobError> {
        let path = self.path(name);
        let got = async { self.store.get(&path).await?.bytes().await };
        got.await.map_err(|error| remote(&path, &error))
    }

    /// Removes every object in this folder.
    ///
    /// # Errors
    /// [`BlobError::Remote`]; some may be gone then.
    pub async fn remove_folder(&self, name: &str) -> Result<(), BlobError> {
        let folder = self.path(name);
        let mut listed = self.store.list(Some(&folder));
        while let Some(object) = listed.try_next().await.map_err(|error| remote(&folder, &error))? {
            self.remove(&object.location).await?;
        }
        Ok(())
    }

    /// The names of the folders in this folder that hold nothing written later than `before`.
    ///
    /// # Errors
    /// [`BlobError::Remote`].
    pub async fn folders(&self, name: &str, before: SystemTime) -> Result<Vec<String>, BlobError> {
        let folder = self.path(name);
        let failed = |error| remote(&folder, &error);
        let listed = self.store.list_with_delimiter(Some(&folder)).await.map_err(failed)?;
        let mut old = Vec::new();
        for found in listed.common_prefixes {
            let objects: Vec<_> = self.store.list(Some(&found)).try_collect().await.map_err(failed)?;
            let all_old = objects.iter().all(|object| SystemTime::from(object.last_modified) <= before);
            old.extend(found.filename().filter(|_| all_old).map(str::to_owned));
        }
        Ok(old)
    }

    async fn remove(&self, path: &Path) -> Result<(), BlobError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(remote(path, &error)),
        }
    }

    fn path(&self, name: &str) -> Path {
        let parts = self.root.parts().map(|part| part.as_ref().to_owned());
        Path::from_iter(parts.chain(name.split('/').map(str::to_owned)))
    }

    fn blob(&self, name: &BlobName) -> Path {
        self.path(&format!("{BLOBS}/{name}"))
    }

    pub(super) fn create(&self, name: &BlobName) -> Result<ObjectWriter, BlobError> {
        let path = self.blob(name);
        match self.runtime.block_on(self.store.head(&path)) {
            Ok(_) => Err(BlobError::Taken { name: name.clone() }),
            Err(object_store::Error::NotFound { .. }) => {
                Ok(ObjectWriter { objects: self.clone(), path, part: Vec::new(), upload: None, bytes: 0 })
            }
            Err(error) => Err(remote(&path, &error)),
        }
    }

    pub(super) fn read(&self, name: &BlobName) -> Result<ObjectReader, BlobError> {
        let path = self.blob(name);
        let got: GetResult = self.runtime.block_on(self.store.get(&path)).map_err(|error| match error {
            object_store::Error::NotFound { .. } => BlobError::Absent { name: name.clone() },
            error => remote(&path, &error),
        })?;
        let bytes = got.meta.size;
        let (chunks, runtime) = (got.into_stream(), self.runtime.clone());
        Ok(ObjectReader { path, chunks, chunk: Bytes::new(), bytes, runtime })
    }

    pub(super) fn delete(&self, name: &BlobName) -> Result<(), BlobError> {
        let path = self.blob(name);
        match self.runtime.block_on(self.store.head(&path)) {
            Ok(_) => self.runtime.block_on(self.remove(&path)),
            Err(object_store::Error::NotFound { .. }) => Err(BlobError::Absent { name: name.clone() }),
            Err(error) => Err(remote(&path, &error)),
        }
    }

    pub(super) fn names(&self, before: SystemTime) -> Result<Vec<BlobName>, BlobError> {
        let folder = self.path(BLOBS);
        let listed = self.runtime.block_on(self.store.list(Some(&folder)).try_collect::<Vec<_>>());
        let listed = listed.map_err(|error| remote(&folder, &error))?;
        let old = listed.iter().filter(|object| SystemTime::from(object.last_modified) <= before);
        let mut names: Vec<_> =
            old.filter_map(|object| BlobName::parse(object.location.filename()?).ok()).collect();
        names.sort();
        Ok(names)
    }
}

impl ObjectWriter {
    pub(super) fn commit(mut self) -> Result<u64, BlobError> {
        let last = PutPayload::from(std::mem::take(&mut self.part));
        let runtime = self.objects.runtime.clone();
        let committed = match self.upload.take() {
            None => runtime.block_on(self.objects.store.put(&self.path, last)),
            Some(mut upload) => runtime.block_on(async {
                let whole = async {
                    upload.put_part(last).await?;
                    upload.complete().await
                };
                let whole = whole.await;
                if whole.is_err() {
                    // What can't be taken back is removed by the store's rule for unfinished uploads.
                    let _ = upload.abort().await;
                }
                whole
            }),
        };
        committed.map_err(|error| remote(&self.path, &error))?;
        Ok(self.bytes)
    }

    fn send_part(&mut self) -> object_store::Result<()> {
        let runtime = self.objects.runtime.clone();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            place => place.insert(runtime.block_on(self.objects.store.put_multipart(&self.path))?),
        };
        let part = PutPayload::from(std::mem::replace(&mut self.part, Vec::with_capacity(PART)));
        runtime.block_on(upload.put_part(part))
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        if self.part.len() == PART {
            self.send_part().map_err(|error| io::Error::other(remote(&self.path, &error)))?;
        }
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            self.objects.runtime.spawn(async move { upload.abort().await });
        }
    }
}

impl ObjectReader {
    pub(super) fn size(&self) -> u64 {
        self.bytes
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.chunks.next()) {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => return Err(io::Error::other(remote(&self.path, &error))),
                None => return Ok(0),
            }
        }
        let taken = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.root)
    }
}

impl fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectWriter({}, {} bytes)", self.path, self.bytes)
    }
}

impl fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectReader({}, {} bytes)", self.path, self.bytes)
    }
}

fn remote(path: &Path, error: &object_store::Error) -> BlobError {
    BlobError::Remote { name: path.to_string(), detail: error.to_string() }
}

/// The host of a plain endpoint.
fn host_of(endpoint: &str) -> &str {
    let authority = endpoint.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_bucket_prefix_endpoint_and_region_and_nothing_else() {
        let s3 = S3::parse("s3://models/house/one?endpoint=https://s3.example/&region=eu").unwrap();
        assert_eq!((s3.bucket.as_str(), s3.prefix.as_str()), ("models", "house/one"));
        assert_eq!((s3.endpoint.as_deref(), s3.region.as_str()), (Some("https://s3.example"), "eu"));
        for bad in ["models", "s3://", "s3:///x", "s3://models?key=1", "s3://models?endpoint"] {
            assert!(matches!(S3::parse(bad), Err(ObjectsError::Settings(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_on_another_machine_without_tls_is_refused_by_name() {
        for endpoint in ["http://s3.example:3900", "http://localhost:80@s3.example/x"] {
            let s3 = S3::parse(&format!("s3://models?endpoint={endpoint}")).unwrap();
            let refused = Objects::s3(&s3, &Credentials::OfTheMachine).await.unwrap_err();
            assert!(matches!(refused, ObjectsError::Unprotected(_)), "{refused}");
            assert!(refused.to_string().contains(endpoint) && refused.to_string().contains("https"));
        }
    }
}
