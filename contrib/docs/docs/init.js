// No validator badge: it would send the document's address to another host.
window.ui = SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
  displayRequestDuration: true,
  persistAuthorization: false,
});
