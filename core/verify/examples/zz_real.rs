#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
use formats::bundle::{Bundle, Content};
use formats::key::PublicKey;
use formats::statement::Statement;
use formats::trusted_root::TrustedRoot;
use verify::policy::*;
use verify::verify::*;
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let root = match TrustedRoot::from_json(&std::fs::read(&a[0]).unwrap()) { Ok(r) => r, Err(e) => { println!("ROOT {e}"); return; } };
    let bundle = match Bundle::from_json(&std::fs::read(&a[1]).unwrap()) { Ok(b) => b, Err(e) => { println!("PARSE {e}"); return; } };
    let policy = match a.get(3) { Some(k) if !k.is_empty() => Policy::key(match PublicKey::from_pem(&std::fs::read_to_string(k).unwrap()) { Ok(k) => k, Err(e) => { println!("KEY {e}"); return; } }), _ => Policy::identity(IdentityMatch::new(Matcher::Regexp(WholePattern::anything().unwrap()), Matcher::Regexp(WholePattern::anything().unwrap()))) };
    let file = a.get(2).filter(|f| !f.is_empty()).map(|f| std::fs::read(f).unwrap());
    let digests;
    let artifact = match (&file, &bundle.content) {
        (Some(f), _) => Artifact::Message(f),
        (None, Content::Message { digest, .. }) => { digests = digest.into_iter().copied().collect::<Vec<_>>(); Artifact::Digests(&digests) }
        (None, Content::Dsse(e)) => { digests = Statement::parse(&e.payload).map(|s| s.subjects[0].digests.clone()).unwrap_or_default(); Artifact::Digests(&digests) }
    };
    match Verifier::new(&root) { Err(e) => println!("ROOTFAULT {e}"), Ok(v) => match v.verify(&bundle, &artifact, &policy, 1_795_000_000) {
        Ok(v) => println!("OK {:?} {:?} {:?}", v.subject, v.times.iter().map(|t| t.seconds()).collect::<Vec<_>>(), v.entries.iter().map(|e| (&e.log, e.log_index)).collect::<Vec<_>>()),
        Err(r) => println!("REFUSED {} | {}", r.code(), r),
    } }
}
