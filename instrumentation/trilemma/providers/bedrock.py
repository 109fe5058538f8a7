"""Describe Amazon Bedrock as boto3 and aioboto3 call it: models, agents, knowledge bases; and SageMaker's endpoints.

Paths are those of the service's model, in which ``{name}`` is a parameter of the call, not a part of the path.
"""

from dataclasses import replace

from trilemma.providers.bedrock_converse import CONVERSE
from trilemma.providers.bedrock_invoke import INVOKE, SAGEMAKER
from trilemma.providers.spec import Endpoint, Provider

__all__ = ["PROVIDER"]


_AGENT = Endpoint(
    path="/agents/{agentId}/agentAliases/{agentAliasId}/sessions/{sessionId}/text",
    operation="invoke_agent",
    request={"conversation_id": "sessionId", "agent_id": "agentId"},
)

PROVIDER = Provider(
    name="aws.bedrock",
    module="botocore",
    transport="botocore",
    headers={"x-amzn-requestid": ("request_id", 0)},
    error_types=("Error.Code",),
    endpoints=(
        CONVERSE,
        replace(CONVERSE, path="/model/{modelId}/converse-stream"),
        *INVOKE,
        Endpoint(
            "/guardrail/{id}/version/{version}/apply",
            "POST /guardrail/{id}/version/{id}/apply",  # a plain span that says what came of it
            request={"guardrail_id": "guardrailIdentifier"},
            response={"guardrail_action": "action"},
        ),
        Endpoint("/model/{modelId}/count-tokens", "count_tokens", request={"request_model": "modelId"}),
        Endpoint(
            "/rerank",
            "rerank",
            request={
                "request_model": "rerankingConfiguration.bedrockRerankingConfiguration.modelConfiguration.modelArn",
                "message_count": "sources[#]",
            },
        ),
        Endpoint("/knowledgebases/{id}/retrieve", "retrieval", request={"knowledge_base_id": "knowledgeBaseId"}),
        _AGENT,
        replace(
            _AGENT,
            path="/agents/{sessionId}",
            request={"conversation_id": "sessionId", "request_model": "foundationModel"},
        ),
        *SAGEMAKER,
    ),
)
