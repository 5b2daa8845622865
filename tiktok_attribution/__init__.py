"""TikTok pixel and Events API from one declaration, for Django."""
