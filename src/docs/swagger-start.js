// SPDX-License-Identifier: ISC
/* Swagger UI on /openapi.json. Nothing is asked of other servers: no validator. */
window.ui = window.SwaggerUIBundle({
	url: "/openapi.json",
	dom_id: "#swagger-ui",
	deepLinking: true,
	docExpansion: "none",
	filter: true,
	persistAuthorization: false,
	tryItOutEnabled: true,
	validatorUrl: null,
});
