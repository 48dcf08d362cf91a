//! Puts the git commit into the binary, for `run.json`, and compiles the wire types of etcd.

use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    put_commit();
    const ETCD: [&str; 2] = ["etcd.proto", "etcd_lock.proto"];
    for file in ETCD {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(ETCD, ["."])?;
    tonic_prost_build::configure().bytes(".").build_server(false).compile_fds(descriptors)?;
    Ok(())
}

fn put_commit() {
    let describe = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = match describe {
        Ok(output) if output.status.success() => {
            format!("git {}", String::from_utf8_lossy(&output.stdout).trim())
        }
        _ => "git unknown".to_owned(),
    };
    println!("cargo::rustc-env=BREAKWATER_COMMIT={commit}");
    println!("cargo::rerun-if-changed=../.git/HEAD");
    println!("cargo::rerun-if-changed=../.git/logs/HEAD");
}
