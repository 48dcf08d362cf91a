//! Which address shows what.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tokio::sync::Semaphore;

use super::files::{self, Found, NotServed};
use super::listing::Listing;
use super::page;
use super::query::Query;
use crate::compare::{self, Group};

/// Comparisons read whole histories: one at a time.
const COMPARISONS_MAX: usize = 1;

struct Served {
    root: PathBuf,
    listing: Listing,
    comparisons: Semaphore,
}

/// All addresses. `root` has no links in it.
pub(super) fn router(root: PathBuf, port: u16) -> Router {
    let served = Arc::new(Served {
        root,
        listing: Listing::default(),
        comparisons: Semaphore::new(COMPARISONS_MAX),
    });
    Router::new()
        .route("/", get(list))
        .route("/compare", get(compare))
        .route("/files/", get(root_folder))
        .route("/files/{*path}", get(file))
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is no such page here"))
        .layer(middleware::from_fn(move |request, next| guard(port, request, next)))
        .with_state(served)
}

/// Answers only who asked for this server by a name of the loopback address: the browser of
/// somebody who looks at another page may be led here by a name that resolves to it.
async fn guard(port: u16, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    if !host.is_some_and(|host| names.iter().any(|name| name == host)) {
        return problem(StatusCode::FORBIDDEN, "this server is asked for by 127.0.0.1 only");
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Pages that we make have no script; the report's own policy is in the page, and stricter than this.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
             img-src data:; form-action 'self'; base-uri 'none'",
        ),
    );
    response
}

async fn list(State(served): State<Arc<Served>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(&query.unwrap_or_default());
    blocking(move || {
        let runs = served.listing.read(&served.root);
        html(StatusCode::OK, page::list(&runs, &query))
    })
    .await
}

async fn compare(State(served): State<Arc<Served>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(&query.unwrap_or_default());
    let Ok(_permit) = served.comparisons.acquire().await else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the server is ending");
    };
    let root = served.root.clone();
    blocking(move || {
        match group(&root, &query, "a").and_then(|a| Ok((a, group(&root, &query, "b")?))) {
            Ok((a, b)) => html(StatusCode::OK, compare::render(&compare::compare_groups(&a, &b))),
            Err(why) => problem(StatusCode::BAD_REQUEST, &why),
        }
    })
    .await
}

fn group(root: &Path, query: &Query, side: &str) -> Result<Group, String> {
    let mut folders = Vec::new();
    let mut names = Vec::new();
    for path in query.all(side) {
        folders.push(files::resolve(root, path).map_err(|error| format!("{path}: {error}"))?);
        names.push(path.to_owned());
    }
    let letter = side.to_uppercase();
    if folders.is_empty() {
        return Err(format!("tick a run for side {letter}"));
    }
    let name = match names.as_slice() {
        [only] => only.clone(),
        _ => format!("side {letter}"),
    };
    Group::of(name, &folders).map_err(|error| error.to_string())
}

async fn root_folder(State(served): State<Arc<Served>>) -> Response {
    blocking(move || show(&served.root, "")).await
}

async fn file(State(served): State<Arc<Served>>, UrlPath(path): UrlPath<String>) -> Response {
    blocking(move || show(&served.root, &path)).await
}

fn show(root: &Path, path: &str) -> Response {
    match files::find(root, path) {
        Ok(Found::File(real, content)) => match std::fs::read(real) {
            Ok(bytes) => ([(header::CONTENT_TYPE, content)], Body::from(bytes)).into_response(),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        // Relative links of a page need the slash.
        Ok(Found::Folder(_)) if !path.is_empty() && !path.ends_with('/') => {
            Redirect::to(&format!("/files/{}/", super::query::path(path))).into_response()
        }
        Ok(Found::Folder(names)) => match names.iter().find(|name| *name == "report.html") {
            Some(report) => Redirect::to(report).into_response(),
            None => html(StatusCode::OK, page::folder(path, &names)),
        },
        Err(error @ NotServed::Missing) => problem(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error @ NotServed::TooLarge) => {
            problem(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string())
        }
        Err(error @ NotServed::Read(_)) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
    }
}

async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        problem(StatusCode::INTERNAL_SERVER_ERROR, "the server failed at this page")
    })
}

fn html(status: StatusCode, page: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn problem(status: StatusCode, what: &str) -> Response {
    html(status, page::problem(status.canonical_reason().unwrap_or("Problem"), what))
}
