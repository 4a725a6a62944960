//! Shows a test what the gateway's own sources make of values: hashes, roots, domains, certificates of any gateway.
#![allow(dead_code)] // most of what is included serves the gateway

#[path = "../../../contracts/cosmwasm/gateway/src/certificates.rs"]
mod certificates;
#[path = "../../../contracts/cosmwasm/gateway/src/domain.rs"]
mod domain;
#[path = "../../../contracts/cosmwasm/gateway/src/epochs.rs"]
mod epochs;
#[path = "../../../contracts/cosmwasm/gateway/src/erc7930.rs"]
mod erc7930;
#[path = "../../../contracts/cosmwasm/gateway/src/merkle.rs"]
mod merkle;
#[path = "../../../contracts/cosmwasm/gateway/src/offices.rs"]
mod offices;
#[path = "../../../contracts/cosmwasm/gateway/src/request.rs"]
mod request;
#[path = "../../../contracts/cosmwasm/gateway/src/signer_set.rs"]
mod signer_set;
#[path = "../../../contracts/cosmwasm/gateway/src/statements.rs"]
mod statements;

use xvm_common::entry::{answer, answer_query, given};
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::{quote, Object};
use xvm_common::keccak::keccak256;
use xvm_common::response::Response;
use xvm_common::sha256::sha256;
use xvm_common::wide::{multiply_divide, multiply_divide_up};
use xvm_common::{base64, hex, json};

#[no_mangle]
unsafe extern "C" fn instantiate(_env: u32, _info: u32, _message: u32) -> u32 {
    answer(|| Ok(Response::new().finish()))
}

/// Keeps a signer set as an epoch's, unchecked.
#[no_mangle]
unsafe extern "C" fn execute(_env: u32, _info: u32, message: u32) -> u32 {
    let message = given(message);
    answer(|| {
        let mut fields = Fields::of(json::parse(&message)?)?;
        let set = signer_set::SignerSet::read(fields.fields("set")?)?;
        epochs::keep(fields.u64("epoch")?, &set, fields.u64("valid_until")?);
        fields.finish()?;
        Ok(Response::new().finish())
    })
}

#[no_mangle]
unsafe extern "C" fn query(_env: u32, message: u32) -> u32 {
    let message = given(message);
    answer_query(|| {
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        show(&name, Fields::of(body)?)
    })
}

fn show(name: &str, mut body: Fields) -> Result<String> {
    let shown = match name {
        "keccak256" => quote(&hex::encode(&keccak256(&body.base64("data")?))),
        "sha256" => quote(&hex::encode(&sha256(&body.base64("data")?))),
        "base64" => quote(&base64::encode(&base64::decode(&body.text("text")?)?)),
        "multiply_divide" => {
            let (a, b, divisor) = (body.u128("a")?, body.u128("b")?, body.u128("divisor")?);
            let (down, up) = (multiply_divide(a, b, divisor)?, multiply_divide_up(a, b, divisor)?);
            Object::new().decimal("down", down).decimal("up", up).finish()
        }
        "request_id" => quote(&hex::encode(&request::Request::read(body.fields("request")?, false)?.id())),
        "request_id_by_hash" => quote(&hex::encode(&request::Request::read(body.fields("request")?, true)?.id())),
        "request" => request::Request::read(body.fields("request")?, false)?.json(),
        "execute_leaf" => {
            let request_id = body.word("request_id")?;
            let location = statements::Location::take(&mut body)?;
            quote(&hex::encode(&statements::leaf(&statements::execute_hash(&request_id, &location))))
        }
        "outcome_leaf" => {
            let outcome = statements::Outcome::read(body.fields("outcome")?)?;
            quote(&hex::encode(&statements::leaf(&outcome.hash())))
        }
        "rotate_leaf" => {
            let (set_hash, epoch) = (body.word("signer_set_hash")?, body.u64("new_epoch")?);
            quote(&hex::encode(&statements::leaf(&statements::rotate_hash(&set_hash, epoch))))
        }
        "root" => quote(&hex::encode(&merkle::root(&body.words("leaves")?))),
        "signer_set" => {
            let (set, now) = (signer_set::SignerSet::read(body.fields("set")?)?, body.u64("now")?);
            set.check(now)?;
            quote(&hex::encode(&set.hash()))
        }
        "domain" => {
            let domain = domain::Domain::of(&body.hex("gateway")?)?;
            let digest = domain.digest(&body.word("root")?, body.u32("count")?, body.u64("epoch")?);
            Object::new()
                .hex("separator", &domain.separator())
                .hex("chain_tag", domain.chain_tag())
                .hex("gateway_tag", domain.gateway_tag())
                .hex("digest", &digest)
                .finish()
        }
        "certificate" => {
            let domain = domain::Domain::of(&body.hex("gateway")?)?;
            let (root, count, now) = (body.word("root")?, body.u32("count")?, body.u64("now")?);
            let epoch = certificates::verify(&domain, now, &root, count, &body.base64("certificate")?)?;
            quote(&epoch.to_string())
        }
        "split" => match erc7930::split(&body.hex("address")?) {
            Some(split) => Object::new().hex("chain", &split.chain()).hex("address", split.address).finish(),
            None => "null".to_string(),
        },
        _ => return refuse_with("UnknownQuery", name),
    };
    body.finish()?;
    Ok(shown)
}
