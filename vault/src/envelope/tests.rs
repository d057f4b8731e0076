use super::*;

const JOB: JobId = JobId::from_bytes([1; 16]);
const HEADER: Digest = Digest([2; 32]);

fn dir() -> (tempfile::TempDir, EnvelopeDir) {
    let at = tempfile::tempdir().unwrap();
    let dir = EnvelopeDir::open(at.path().join("envelopes")).unwrap();
    (at, dir)
}

async fn begin(dir: &EnvelopeDir) -> Arc<Envelope> {
    Arc::new(Envelopes::Files(dir.clone()).begin(JOB, HEADER).await.unwrap())
}

async fn segment(envelope: &Arc<Envelope>, index: u32) -> Option<Bytes> {
    match envelope.clone().follow(index).await.unwrap() {
        Next::Segment(bytes) => Some(bytes),
        Next::End | Next::Abandoned => None,
    }
}

#[tokio::test]
async fn a_follower_waits_for_what_is_not_there_yet_and_learns_of_the_end() {
    let (_at, dir) = dir();
    let envelope = begin(&dir).await;
    let waiting = tokio::spawn({
        let envelope = envelope.clone();
        async move { segment(&envelope, 1).await }
    });
    envelope.append(b"onetwo", &[3, 3]).unwrap();
    assert_eq!(waiting.await.unwrap().as_deref(), Some(&b"two"[..]));
    envelope.end();
    assert!(matches!(envelope.clone().follow(2).await, Ok(Next::End)));
}

#[tokio::test]
async fn an_abandoned_envelope_is_no_envelope_to_its_followers() {
    let (_at, dir) = dir();
    let envelope = begin(&dir).await;
    envelope.append(b"one", &[3]).unwrap();
    envelope.abandon();
    assert!(matches!(envelope.clone().follow(0).await, Ok(Next::Abandoned)));
}

#[tokio::test]
async fn who_reads_the_old_envelope_never_sees_bytes_of_the_new() {
    let (_at, dir) = dir();
    let old = begin(&dir).await;
    old.append(b"old", &[3]).unwrap();
    let new = begin(&dir).await;
    new.append(b"new", &[3]).unwrap();
    assert_eq!(segment(&old, 0).await.as_deref(), Some(&b"old"[..]));
}

#[test]
fn a_file_that_is_no_run_of_segments_is_not_opened() {
    let (_at, dir) = dir();
    dir.create(JOB).unwrap().append(b"no segment", &[10]).unwrap();
    assert_eq!(dir.open_whole(JOB, 1, 10).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_sweep_leaves_the_envelopes_of_known_jobs_alone() {
    let (at, dir) = dir();
    let other = JobId::from_bytes([2; 16]);
    dir.create(JOB).unwrap();
    dir.create(other).unwrap();
    dir.sweep(&[JOB]).unwrap();
    let left = std::fs::read_dir(at.path().join("envelopes")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left, [JOB.to_string()]);
}
