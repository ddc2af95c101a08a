//! What the cryptography alone costs on this machine: processor time, as for the server, so that
//! whatever else the machine does does not flatter a ratio. The median of several rounds.

use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use nix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};

use crate::table::median;

/// Microseconds for each operation.
pub struct Limits {
    /// RS256 with a key of 2048 bits.
    pub rs256_verify: f64,
    /// ECDSA P-256.
    pub p256_verify: f64,
    /// ECDSA P-256.
    pub p256_sign: f64,
    /// SHA-256, bytes per microsecond.
    pub sha256_rate: f64,
}

impl Limits {
    /// Measures them while every other core is busy, as they are when the server is measured:
    /// cores that share their units are slower together.
    pub fn measure() -> Result<Self, Box<dyn Error>> {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 1..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    let mut block = [7_u8; 4096];
                    while !done.load(Ordering::Relaxed) {
                        block[0] ^= Sha256::digest(black_box(block))[0];
                    }
                });
            }
            let measured = Self::measure_beside_others();
            done.store(true, Ordering::Relaxed);
            measured
        })
    }

    /// Runs `work` between two measurements, and gives their mean beside its result: a machine
    /// that others share is not as fast in one second as in the next.
    pub fn around<T>(
        work: impl FnOnce() -> Result<T, Box<dyn Error>>,
    ) -> Result<(T, Self), Box<dyn Error>> {
        let before = Self::measure()?;
        let result = work()?;
        let after = Self::measure()?;
        let mean = |a: f64, b: f64| f64::midpoint(a, b);
        Ok((
            result,
            Self {
                rs256_verify: mean(before.rs256_verify, after.rs256_verify),
                p256_verify: mean(before.p256_verify, after.p256_verify),
                p256_sign: mean(before.p256_sign, after.p256_sign),
                sha256_rate: mean(before.sha256_rate, after.sha256_rate),
            },
        ))
    }

    fn measure_beside_others() -> Result<Self, Box<dyn Error>> {
        let message = [7_u8; 256];
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        let ec_signature = ec.sign(&random, &message)?;
        let ec_public = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, ec.public_key().as_ref())?;
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let mut rsa_signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(&RSA_PKCS1_SHA256, &random, &message, &mut rsa_signature)?;
        let rsa_public =
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref())?;
        let block = vec![7_u8; 16 << 20];
        Ok(Self {
            rs256_verify: micros(2_000, || rsa_public.verify_sig(&message, &rsa_signature).is_ok()),
            p256_verify: micros(1_000, || {
                ec_public.verify_sig(&message, ec_signature.as_ref()).is_ok()
            }),
            p256_sign: micros(2_000, || ec.sign(&random, &message).is_ok()),
            sha256_rate: block.len() as f64 / micros(2, || Sha256::digest(&block)[0] < 255),
        })
    }

    /// One certificate: token, proof and SCT verified; precertificate, SCT, certificate and CT
    /// head signed.
    pub fn certificate(&self) -> f64 {
        self.rs256_verify + 2.0 * self.p256_verify + 4.0 * self.p256_sign
    }

    /// Prints them.
    pub fn print(&self) {
        eprintln!(
            "limits of this machine: RS256 verify {:.0} us, P-256 verify {:.0} us, P-256 sign \
             {:.0} us, SHA-256 {:.2} GB/s",
            self.rs256_verify,
            self.p256_verify,
            self.p256_sign,
            self.sha256_rate / 1000.0
        );
    }
}

/// Of this thread.
pub fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn micros(times: u32, mut operation: impl FnMut() -> bool) -> f64 {
    let round = |operation: &mut dyn FnMut() -> bool| {
        let started = processor_time();
        for _ in 0..times {
            assert!(black_box(operation()), "an operation that is timed must succeed");
        }
        (processor_time() - started).as_secs_f64() * 1e6 / f64::from(times)
    };
    median((0..7).map(|_| round(&mut operation)).collect())
}
