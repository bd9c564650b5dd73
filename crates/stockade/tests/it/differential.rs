//! What passes unchanged is unchanged: the bytes that the upstream gets are the bytes that the client sent, and the
//! bytes that the client gets are those that the upstream answered, on every lane. What Stockade does change it changes
//! in its place and nothing around it.
//!
//! Nothing here reads the messages as JSON on the way to the verdict: what a JSON library would round off, reorder or
//! unescape is what these tests are about.

mod generator;
mod template;
mod wire;

use generator::Generator;
use serde_json::json;
use template::Template;
use testkit::{Config, Gateway, Lane, Permit, Transport, Upstream, WellBehaved};
use wire::{Asking, Exchange, Wire};

/// Random values on each lane; the six lanes together see more than 500.
const RANDOM_PER_LANE: usize = 90;

/// Members that the protocol does not know, and spellings that a JSON library would not write again.
const ODD_ARGUMENTS: &[&str] = &[
    r#"{}"#,
    r#"{ "z":1,"a":2 , "m":3,	"B":4 }"#,
    r#"{"whole":12345678901234567890123,"long":0.10000000000000000000000000000000001,"huge":1e400,"tiny":-1E-400}"#,
    r#"{"zero":-0,"point":-0.0,"one":1.0,"same":100e-2,"plus":1E+2,"edge":9007199254740993}"#,
    r#"{"plain":"é漢🦀","escaped":"\u00e9\u6f22\ud83e\udd80","mixed":"\u0041A\/\"\\\b\f\n\r\t","empty":""}"#,
    r#"{"n\u0061me":"escaped name","":"empty name","a b":1,"__proto__":{"x":1},"constructor":null}"#,
    r#"{"null":null,"false":false,"list":[],"object":{ },"nulls":[null , null]}"#,
    r#"{"hidden":"\u202e\u200b\u001b[31m","like a message":{"jsonrpc":"2.0","id":1,"method":"tools/call"}}"#,
];

/// Results of `tools/call`, with `§TYPE§` where the modern era wants its `resultType`.
const ODD_RESULTS: &[&str] = &[
    r#"{§TYPE§"content":[]}"#,
    r#"{ "future":{"b":1,"a":[ ]} ,§TYPE§"content":[{"text":"t","type":"text","futureMember":[1,2.50,null]}],"isError":false}"#,
    r#"{§TYPE§"content":[{"type":"text","text":"\u00e9 é \/ \\ \" \n\t","annotations":{"later":null,"audience":[ "user"]}}]}"#,
    r#"{§TYPE§"structuredContent":{"whole":12345678901234567890123,"huge":1e400,"zero":-0.0},"content":[ ]}"#,
    r#"{§TYPE§"content":[],"isError":false,"_meta":{"com.example/trace":{"y":1,"x":null},"plain":1.0}}"#,
    r#"{§TYPE§"content":[{"type":"resource","resource":{"uri":"x:y","text":"","extra":1e-7},"_meta":{"k":[]}}]}"#,
];

/// A server that offers one tool of any arguments, a resource and a prompt; what it answers is the wire's business.
fn server() -> WellBehaved {
    WellBehaved::new("files")
        .tool(testkit::Tool::new("echo", |_| testkit::text("handshake only")))
        .resource("test://one", "one", "text")
        .prompt("greet", "hello")
}

fn unhurried() -> Config {
    Config::new().limit("calls_per_minute", json!(100_000)).limit("messages_per_minute", json!(100_000))
}

fn call(arguments: &str, more: &str) -> Template {
    Template::of(&format!(
        r#"{{ "method":"tools/call","params":{{"name":"echo","arguments":{arguments},"_meta":{{§META§"com.example/k":{{"b":1.0,"a":null}}}}{more}}} ,"id":§ID§,"jsonrpc":"2.0"}}"#
    ))
}

fn answer(result: &str) -> Template {
    Template::of(&format!(r#"{{"result":{result} , "id" : §ID§,	"jsonrpc":"2.0"}}"#))
}

#[test]
fn calls_and_results_pass_byte_for_byte() {
    for lane in Lane::typical() {
        let wire = Wire::open(lane, server(), unhurried());
        for arguments in ODD_ARGUMENTS {
            wire.passes(&Exchange::call(call(arguments, ""), answer(ODD_RESULTS[0])));
        }
        for result in ODD_RESULTS {
            wire.passes(&Exchange::call(call("{}", r#","future":{"b":[1e400],"a":null}"#), answer(result)));
        }
        wire.passes(&Exchange::call(
            call("{}", ""),
            Template::of(r#"{"id":§ID§,"error":{"message":"m","code":-32000,"data":{"z":1e400,"a":[null]},"x":1},"jsonrpc":"2.0"}"#),
        ));
    }
}

#[test]
fn great_and_deep_values_pass_byte_for_byte() {
    let deep = format!(r#"{{"deep":{}{}}}"#, "[ ".repeat(40), "]".repeat(40));
    let wide = format!(r#"{{"wide":[{}1e2]}}"#, "1.0, ".repeat(20_000));
    let long = format!(r#"{{"long":"{}\u00e9"}}"#, "é\\u0041x".repeat(60_000));
    for lane in Lane::typical() {
        let wire = Wire::open(lane, server(), unhurried());
        for value in [&deep, &wide, &long] {
            let result = format!(r#"{{§TYPE§"structuredContent":{value},"content":[]}}"#);
            wire.passes(&Exchange::call(call(value, ""), answer(&result)));
        }
    }
}

#[test]
fn lists_reads_prompts_and_completions_pass_byte_for_byte() {
    let cases = [
        (
            "tools/list",
            "",
            r#"{"_meta":{§META§"x":1.0}}"#,
            r#"{"tools":[{"inputSchema":{"type":"object","x":1e400,"properties":{}},"name":"echo","later":null} , {"name":"b","inputSchema":{"type":"object"}}]§CACHE§}"#,
        ),
        (
            "resources/read",
            "test://one",
            r#"{ "uri":"test:\/\/one","_meta":{§META§"x":[ ]}}"#,
            r#"{"contents":[{"uri":"test://one","text":"\u00e9","blobOfFuture":1.50}]§CACHE§}"#,
        ),
        (
            "prompts/get",
            "greet",
            r#"{"arguments":{"b":"","a":"\u0041"},"name":"greet","_meta":{§META§"x":null}}"#,
            r#"{§TYPE§"messages":[{"content":{"type":"text","text":"t","m":-0},"role":"user","n":{}}]}"#,
        ),
        (
            "completion/complete",
            "",
            r#"{"argument":{"value":"\/","name":"n","z":1},"ref":{"name":"greet","type":"ref/prompt"},"_meta":{§META§"x":1}}"#,
            r#"{§TYPE§"completion":{"values":["b","\u0061"],"hasMore":false,"z":1e1}}"#,
        ),
    ];
    for lane in Lane::typical() {
        let wire = Wire::open(lane, server(), unhurried());
        for (method, name, params, result) in &cases {
            let request = format!(r#"{{"jsonrpc":"2.0","params":{params},"id":§ID§ , "method":"{method}"}}"#);
            wire.passes(&Exchange::of(method, name, Template::of(&request), answer(result)));
        }
    }
}

#[test]
fn random_values_pass_byte_for_byte() {
    for (number, lane) in Lane::typical().into_iter().enumerate() {
        let wire = Wire::open(lane, server(), unhurried());
        let mut generator = Generator::new(number as u64);
        for _ in 0..RANDOM_PER_LANE {
            let request = call(&generator.object(), &format!(r#","random":{}"#, generator.value()));
            let item = format!(r#"{{"type":"text","text":{},"random":{}}}"#, generator.string(), generator.value());
            let result = format!(
                r#"{{§TYPE§"content":[{item}],"structuredContent":{},"random":{}}}"#,
                generator.object(),
                generator.value()
            );
            wire.passes(&Exchange::call(request, answer(&result)));
        }
    }
}

#[test]
fn ids_of_every_spelling_come_back_as_they_were() {
    for lane in Lane::typical() {
        let wire = Wire::open(lane, server(), unhurried());
        for id in ["0", "-7", "9007199254740991", r#""""#, r#""a\u0062\/é""#, r#""1""#, r#"" spaced ""#] {
            wire.passes(&Exchange { id, ..Exchange::call(call("{}", ""), answer(ODD_RESULTS[1])) });
        }
    }
}

#[test]
fn progress_passes_with_its_token_given_back() {
    let request = Template::of(
        r#"{"jsonrpc":"2.0","id":§ID§,"method":"tools/call","params":{"_meta":{§META§"a":1, "progressToken" : §TOKEN§ ,"z":null},"name":"echo"}}"#,
    );
    let notice = Template::of(
        r#"{"method":"notifications/progress","params":{"progress":0.50,"z":{"b":1,"a":1e400},"progressToken":§TOKEN§ , "total":1.0,"message":"\u00e9é"},"jsonrpc":"2.0"}"#,
    );
    for lane in Lane::typical() {
        let wire = Wire::open(lane, server(), unhurried());
        for token in ["12", r#""t\u006fken \/""#] {
            wire.passes(&Exchange {
                token,
                interim: vec![notice.clone(), notice.clone()],
                ..Exchange::call(request.clone(), answer(ODD_RESULTS[1]))
            });
        }
    }
}

#[test]
fn questions_of_the_server_and_their_answers_pass_byte_for_byte() {
    let asking = Asking {
        question: Template::of(
            r#"{"method":"sampling/createMessage","params":{"maxTokens":10,"later":{"b":1e400,"a":null},"messages":[{"content":{"type":"text","text":"\u00e9","x":1.0},"role":"user"}]} ,"id":§ID§,"jsonrpc":"2.0"}"#,
        ),
        answer: Template::of(
            r#"{"result":{"role":"assistant","model":"m\u0041","content":{"type":"text","text":"é","x":-0.0},"z":12345678901234567890123},"id" : §ID§ ,"jsonrpc":"2.0"}"#,
        ),
        id: r#""ask \u00e9\/""#,
    };
    let config = || unhurried().permit(Permit::everything_on("files").from_server(&["sampling"]));
    for lane in Lane::typical().into_iter().filter(|lane| !lane.era.is_modern()) {
        let wire = Wire::open(lane, server(), config());
        wire.asks(&asking, &Exchange::call(call("{}", ""), answer(ODD_RESULTS[1])));
    }
}

#[test]
fn what_is_changed_is_changed_in_its_place_only() {
    let config = || unhurried().permit(Permit::everything_on("files").tools(&["echo", "last"]));
    for lane in Lane::typical() {
        let wire = Wire::open(lane, server(), config());
        let request = |meta: &str| {
            Template::of(&format!(
                r#"{{"params":{{"name":"echo","arguments":{{ "a":1.0}},"_meta":{{§META§{meta}}}}},"jsonrpc":"2.0","id":§ID§,"method":"tools/call"}}"#
            ))
        };
        // Prefixes that are reserved for the specification, with keys that it does not define.
        wire.becomes(
            &Exchange::call(
                request(r#""a.mcp/x":{"b":1},"com.example/k" :1.0 ,"io.modelcontextprotocol/made-up":null"#),
                answer(ODD_RESULTS[1]),
            ),
            &request(r#""com.example/k" :1.0"#),
            &answer(ODD_RESULTS[1]),
        );
        // A list loses the entries that the caller may not use, and in the modern era the say over other caches.
        let list =
            Template::of(r#"{"id":§ID§,"method":"tools/list","jsonrpc":"2.0","params":{"_meta":{§META§"x":1.0}}}"#);
        let tool = |name: &str| format!(r#"{{"later":1.0,"name":"{name}","inputSchema":{{"type":"object"}} }}"#);
        let (echo, hidden, last) = (tool("echo"), tool("hidden"), tool("last"));
        let (said, becomes) = if lane.era.is_modern() {
            (
                r#","resultType":"complete","ttlMs":86400000 , "cacheScope": "public""#,
                r#","resultType":"complete","ttlMs":3600000 , "cacheScope": "private""#,
            )
        } else {
            ("", "")
        };
        wire.becomes(
            &Exchange::of(
                "tools/list",
                "",
                list.clone(),
                answer(&format!(r#"{{"tools":[ {hidden} ,{echo} , {hidden} , {last} ],"x":null{said}}}"#)),
            ),
            &list,
            &answer(&format!(r#"{{"tools":[ {echo} , {last} ],"x":null{becomes}}}"#)),
        );
    }
}

#[test]
fn on_the_merged_route_only_the_name_changes() {
    for lane in Lane::typical().into_iter().filter(|lane| lane.door == Transport::Http) {
        let plan = wire::Plan::default();
        let upstream = Upstream::over(lane.upstream, plan.intercepting(server()));
        let config = unhurried().permit(Permit::everything_on("files")).server("files", upstream.entry());
        let gateway = Gateway::start(env!("CARGO_BIN_EXE_stockade"), config);
        let client = testkit::HttpClient::connect(gateway.url(), &gateway.key_for("bob"), lane.era);
        let request = |name: &str| {
            Template::of(&format!(
                r#"{{"id":§ID§,"params":{{"arguments":{{"big":1e400,"z":1,"a":"\u0041"}} ,"name":"{name}","_meta":{{§META§"x":1.0}}}},"method":"tools/call","jsonrpc":"2.0"}}"#
            ))
        };
        let exchange = Exchange::of("tools/call", "files__echo", request("files__echo"), answer(ODD_RESULTS[3]));
        let wire = Wire::over_http(lane, plan, upstream, gateway, client);
        wire.becomes(&exchange, &request("echo"), &answer(ODD_RESULTS[3]));
    }
}
