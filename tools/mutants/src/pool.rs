//! Worker processes, one for each core: what a mutant does to its process, it does to that alone.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, thread};

use crate::trial::{Check, Job, Kill, Verdict};

/// A case that is not done by then does not end; the device's own watchdog comes much earlier.
const PATIENCE: Duration = Duration::from_secs(300);

/// The verdicts of the jobs, in their order; `judged` is told of each.
///
/// # Errors
/// When a worker cannot be started.
pub(crate) fn judge(
    jobs: &[Job],
    arguments: &[String],
    workers: usize,
    judged: impl Fn() + Sync,
) -> io::Result<Vec<Verdict>> {
    let verdicts = Mutex::new(vec![None; jobs.len()]);
    let queue = Mutex::new(jobs.iter().enumerate());
    let work = || -> io::Result<()> {
        let mut worker = Worker::start(arguments)?;
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, job)) = next else { return Ok(()) };
            let verdict = match worker.judge(job) {
                Ok(verdict) => verdict,
                Err(by) => {
                    worker = Worker::start(arguments)?;
                    Verdict::Killed(Kill { by, case: String::new(), text: String::new() })
                }
            };
            judged();
            verdicts.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(verdict);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.min(jobs.len())).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread that starts workers does not panic"))
    })?;
    let verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(verdicts.into_iter().map(|verdict| verdict.expect("every job was taken")).collect())
}

struct Worker {
    child: Child,
    input: ChildStdin,
    /// Its lines, read by a thread, so that waiting for one can come to an end.
    lines: Receiver<String>,
}

impl Worker {
    fn start(arguments: &[String]) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(arguments).arg("--worker");
        // What the device says of mutants is in the verdicts.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, input, lines })
    }

    /// The verdict, or how the worker failed to give one; it is of no use then.
    fn judge(&mut self, job: &Job) -> Result<Verdict, Check> {
        let mut line = serde_json::to_string(job).expect("a job is numbers, text and lists");
        line.push('\n');
        self.input.write_all(line.as_bytes()).map_err(|_| Check::Crash)?;
        loop {
            let answer = self.lines.recv_timeout(PATIENCE).map_err(|error| match error {
                RecvTimeoutError::Timeout => Check::Timeout,
                RecvTimeoutError::Disconnected => Check::Crash,
            })?;
            // An empty line is a case that noticed nothing.
            if !answer.is_empty() {
                return serde_json::from_str(&answer).map_err(|_| Check::Crash);
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
