//! The reference: an empty server on the same HTTP library and runtime, which reads the body and answers with the same
//! head as Hitstone does.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;

/// Serves until it is killed. `headers` are `NAME: VALUE`.
pub fn serve(headers: &[String]) {
    let headers: HeaderMap = headers
        .iter()
        .filter_map(|header| header.split_once(": "))
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            (name, HeaderValue::from_str(value).expect("a header's value"))
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let headers = headers.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| answer(request, headers.clone()));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
}

async fn answer(request: Request<Incoming>, headers: HeaderMap) -> Result<Response<Full<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Full::default());
    *response.headers_mut() = headers;
    Ok(response)
}
