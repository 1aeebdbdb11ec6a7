// SPDX-License-Identifier: ISC
/* Redoc on /openapi.json, with the fonts of the system. */
window.Redoc.init("/openapi.json", {
	disableSearch: false,
	expandResponses: "200,201",
	jsonSampleExpandLevel: 3,
	theme: {
		typography: {
			fontFamily: "system-ui, sans-serif",
			headings: { fontFamily: "system-ui, sans-serif" },
			code: { fontFamily: "ui-monospace, monospace" },
		},
	},
}, document.getElementById("redoc"));
