// The search would need a worker made from a blob; the content policy allows scripts from here only.
Redoc.init(
  "/api/v1/openapi.json",
  { disableSearch: true, hideDownloadButton: false, nativeScrollbars: true },
  document.getElementById("redoc"),
);
