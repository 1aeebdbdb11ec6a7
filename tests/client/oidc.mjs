// SPDX-License-Identifier: ISC
// An OpenID provider for tests: npm's oidc-provider with a login page of a few lines. Arguments: its port, the redirect address
// of the client, and the algorithm of its ID tokens. Prints "ready" as its first line.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const [port, redirect, algorithm] = process.argv.slice(2);
const KEYS = { RS256: ["rsa", { modulusLength: 2048 }], ES256: ["ec", { namedCurve: "P-256" }], EdDSA: ["ed25519", {}] };
const keys = Object.entries(KEYS).map(([alg, [kind, options]]) => ({ ...generateKeyPairSync(kind, options).privateKey
	.export({ format: "jwk" }), alg, use: "sig", kid: `key-${alg}` }));

const provider = new Provider(`http://127.0.0.1:${port}`, {
	clients: [{ client_id: "parlour", client_secret: "a secret of a test", redirect_uris: [redirect], grant_types: ["authorization_code"],
		response_types: ["code"], id_token_signed_response_alg: algorithm }],
	jwks: { keys },
	cookies: { keys: ["only for tests"] },
	claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
	findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true,
		name: `Person ${id}`, preferred_username: id }) }),
	pkce: { required: () => true, methods: ["S256"] },
	features: { devInteractions: { enabled: false } },
	interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
});

const PAGE = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Provider</title><link rel="icon" href="data:,">
<form method="post"><label>Name <input id="login" name="login"></label>
<button id="go">Continue</button><button id="cancel" name="cancel" value="yes">Cancel</button></form></html>`;

async function grantOf({ params, session, grantId }) {
	const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
	grant.addOIDCScope(params.scope);
	return grant.save();
}

async function bodyOf(request) {
	const parts = [];
	for await (const part of request)
		parts.push(part);
	return new URLSearchParams(Buffer.concat(parts).toString());
}

/* Consent is given automatically; a login is a form. */
async function interact(request, response) {
	const details = await provider.interactionDetails(request, response);
	const finish = (result) => provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
	if (details.prompt.name === "consent") {
		await finish({ consent: { grantId: await grantOf(details) } });
	} else if (request.method === "POST") {
		const form = await bodyOf(request);
		await finish(form.has("cancel") ? { error: "access_denied", error_description: "cancelled" } : { login: { accountId: form.get("login") } });
	} else {
		response.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
	}
}

createServer((request, response) => {
	if (!request.url.startsWith("/interaction/"))
		provider.callback()(request, response);
	else
		interact(request, response).catch((why) => response.writeHead(500).end(String(why)));
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
