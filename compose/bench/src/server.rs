//! The instance under test, started as a person would, and what the kernel says it used.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{Connection, Request};
use crate::table::Table;

/// A running `ca dev`.
pub struct Server {
    child: Child,
    folder: tempfile::TempDir,
    /// Its port.
    pub port: u16,
}

impl Server {
    /// Starts it on an empty folder, and measures that.
    pub fn start(table: &mut Table) -> Result<Self, Box<dyn Error>> {
        let size = fs::metadata(binary("ca")?)?.len() as f64 / MIB;
        table.at_most("`ca`, one stripped binary", size, 25.0, "MiB", "");
        let folder = tempfile::tempdir()?;
        let started = Instant::now();
        let mut child = Command::new(binary("ca")?)
            .arg("dev")
            .arg(folder.path().join("instance"))
            .args(["--listen", "127.0.0.1:0", "--log-level", "warn"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(out).read_line(&mut line)?;
        let ready = started.elapsed().as_secs_f64() * 1e3;
        let port = line.trim().rsplit(':').next().ok_or("no port")?.parse()?;
        table.at_most("`ca dev` on an empty folder: ready", ready, 500.0, "ms", "peers: 13,600 ms");
        std::thread::sleep(Duration::from_millis(500));
        let server = Self { child, folder, port };
        let idle = server.memory("VmRSS")?;
        table.at_most("idle memory", idle, 40.0, "MiB", "peers: 109 MiB");
        Ok(server)
    }

    /// The instance folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("instance")
    }

    /// A token for the given address.
    pub fn token(&self, email: &str) -> Result<String, Box<dyn Error>> {
        let request = Request::get(&format!("/oidc/dev/token?email={email}"));
        Ok(String::from_utf8(Connection::open(self.port)?.exchange(&request, 200)?)?)
    }

    /// Processor seconds used so far, in user and system mode.
    pub fn cpu_seconds(&self) -> Result<f64, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit_once(')').ok_or("no name")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        let (user, system) = (ticks(11).ok_or("no utime")?, ticks(12).ok_or("no stime")?);
        Ok((user + system) / TICKS_PER_SECOND)
    }

    /// A memory figure of /proc/PID/status, in MiB.
    pub fn memory(&self, name: &str) -> Result<f64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such figure")?;
        let kib = line.split_whitespace().nth(1).ok_or("no number")?.parse::<f64>()?;
        Ok(kib / 1024.0)
    }

    /// Bytes of the database, after its write-ahead log was folded in.
    pub fn database_bytes(&self) -> Result<u64, Box<dyn Error>> {
        Ok(fs::metadata(self.folder().join("log.db"))?.len())
    }

    /// Stops it, and measures that.
    pub fn stop(mut self, table: &mut Table) -> Result<(), Box<dyn Error>> {
        let peak = self.memory("VmHWM")?;
        table.note("peak memory of the whole run", format!("{peak:.0} MiB"));
        let started = Instant::now();
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        table.at_most("SIGTERM to the end", started.elapsed().as_secs_f64(), 10.0, "s", "");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A release binary of this tree, or of the folder that `PARAPH_BIN` names.
pub fn binary(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let folder = match std::env::var_os("PARAPH_BIN") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::current_exe()?.parent().ok_or("no folder")?.to_owned(),
    };
    let path = folder.join(name);
    if Path::new(&path).exists() {
        Ok(path)
    } else {
        Err(format!("no `{name}` beside this program: cargo build --release --bins").into())
    }
}

/// Linux counts in hundredths of a second on every platform that we measure on.
const TICKS_PER_SECOND: f64 = 100.0;
const MIB: f64 = 1024.0 * 1024.0;
