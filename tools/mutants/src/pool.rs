//! Worker processes, one for each core: what a mutant does to its process, it does to that alone.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, thread};

use serde::de::DeserializeOwned;

use crate::trial::Request;

/// A case that is not done by then does not end; the device's own watchdog comes much earlier.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a worker gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    Timeout,
    Crash,
}

/// The answers to the requests, in their order; `answered` is told of each.
///
/// # Errors
/// When a worker cannot be started.
pub(crate) fn ask<A: DeserializeOwned + Send>(
    requests: &[Request],
    arguments: &[String],
    workers: usize,
    answered: impl Fn() + Sync,
) -> io::Result<Vec<Result<A, Silence>>> {
    let answers: Mutex<Vec<Option<_>>> = Mutex::new(requests.iter().map(|_| None).collect());
    let queue = Mutex::new(requests.iter().enumerate());
    let work = || -> io::Result<()> {
        let mut worker = Worker::start(arguments)?;
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, request)) = next else { return Ok(()) };
            let answer = worker.ask(request);
            if answer.is_err() {
                worker = Worker::start(arguments)?;
            }
            answered();
            answers.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(answer);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.min(requests.len())).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread that starts workers does not panic"))
    })?;
    let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(answers.into_iter().map(|answer| answer.expect("every request was taken")).collect())
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

    /// The answer, or how the worker failed to give one; it is of no use then.
    fn ask<A: DeserializeOwned>(&mut self, request: &Request) -> Result<A, Silence> {
        let mut line = serde_json::to_string(request).expect("a request is numbers, text and lists");
        line.push('\n');
        self.input.write_all(line.as_bytes()).map_err(|_| Silence::Crash)?;
        loop {
            let answer = self.lines.recv_timeout(PATIENCE).map_err(|error| match error {
                RecvTimeoutError::Timeout => Silence::Timeout,
                RecvTimeoutError::Disconnected => Silence::Crash,
            })?;
            // An empty line is a case that noticed nothing.
            if !answer.is_empty() {
                return serde_json::from_str(&answer).map_err(|_| Silence::Crash);
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
