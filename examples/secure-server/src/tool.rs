//! The protocol side: what the server says of itself, and its one tool.
//!
//! Must never: run a query whose arguments were not checked, or more queries at once than [`QUERIES_AT_ONCE`].

use crate::arguments::{ArgumentsError, QUERY, QUERY_CHARACTERS, QueryText};
use crate::database::Database;
use crate::query::{Answer, Budget, Cancel, QueryError};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

const SERVER_NAME: &str = "secure-mcp-server";
const SERVER_VERSION: &str = "1.0.0";
const TOOL_NAME: &str = "secure_query";
const TOOL_DESCRIPTION: &str = "Execute validated queries";
const INSTRUCTIONS: &str =
    "secure_query runs one SQLite SELECT statement, read-only, over the tables planets and moons.";
/// Queries that run at the same time; others wait for their turn until their own time is over.
const QUERIES_AT_ONCE: usize = 4;

/// The server.
pub(crate) struct SecureServer {
    database: Database,
    budget: Budget,
    turns: Arc<Semaphore>,
}

impl SecureServer {
    pub(crate) fn new(database: Database, budget: Budget) -> Self {
        Self { database, budget, turns: Arc::new(Semaphore::new(QUERIES_AT_ONCE)) }
    }

    /// Runs the query on a thread of its own. It is interrupted when this future ends in whatever way.
    async fn run(&self, query: QueryText) -> Result<Answer, QueryError> {
        let cancel = Cancel::default();
        let _interrupt = CancelOnDrop(cancel.clone());
        let (database, budget) = (self.database.clone(), self.budget);
        let work = async {
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| QueryError::Cancelled)?;
            let task = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                database.query(query.as_str(), budget, &cancel)
            });
            task.await.unwrap_or(Err(QueryError::Cancelled))
        };
        tokio::time::timeout(budget.time, work).await.unwrap_or(Err(QueryError::TimedOut))
    }
}

/// Interrupts a query whose caller has gone.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl ServerHandler for SecureServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(SERVER_NAME, SERVER_VERSION))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![tool()]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name != TOOL_NAME {
            return Err(ErrorData::invalid_params("unknown tool", None));
        }
        let query = QueryText::parse(request.arguments.as_ref()).map_err(refused)?;
        let result = tokio::select! {
            result = self.run(query) => result,
            () = context.ct.cancelled() => Err(QueryError::Cancelled),
        };
        let result = match result {
            Ok(answer) => answered(&answer)?,
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
        };
        Ok(result.into())
    }

    /// The SDK hands over known methods here when their parameters do not fit; they get the words for that.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        match request.method.as_str() {
            "tools/call" | "tools/list" => Err(refused(ArgumentsError)),
            _ => Err(ErrorData::new(rmcp::model::ErrorCode::METHOD_NOT_FOUND, "Method not found", None)),
        }
    }
}

fn refused(error: ArgumentsError) -> ErrorData {
    ErrorData::invalid_params(error.to_string(), None)
}

fn answered(answer: &Answer) -> Result<CallToolResult, ErrorData> {
    let value = serde_json::to_value(answer).map_err(|_| ErrorData::internal_error("Internal error", None))?;
    let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
    result.structured_content = Some(value);
    Ok(result)
}

fn tool() -> Tool {
    let schema = json!({
        "type": "object",
        "properties": { QUERY: { "type": "string", "maxLength": QUERY_CHARACTERS } },
        "required": [QUERY],
        "additionalProperties": false,
    });
    let schema = match schema {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    };
    Tool::new(TOOL_NAME, TOOL_DESCRIPTION, schema)
        .with_annotations(ToolAnnotations::new().read_only(true).destructive(false).open_world(false))
}
