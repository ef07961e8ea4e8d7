"""The client of the REST API, for the console, the command line and the plugins.

Public interface:
    client.ApiClient      requests, lists of several pages, streams; repeats requests that are safe to repeat
    client.Repeats        how long a request is repeated, and the function that reports it
    response.ApiResponse  body, status, ETag and log position of a response
    errors                `ApiError` and `ConfigurationError`, both `ClientError`s
    settings.connection   address and token from options and environment
    paths                 paths of an account, ETags
    secret.Secret         a token or password that is printed as `[secret]`
    problem_text          a problem document as lines for a terminal or a log
    over_httpx            the transport of console and command line; the only module that imports httpx2
    transport             the protocol of a transport; the plugins have one that uses only the standard
    library

Every module but `over_httpx` uses the standard library only. Nothing here imports another package of regcred.
"""
